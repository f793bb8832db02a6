"""The command line as a process of its own, beside the relay that runs in the test's loop."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Ended:
    """The exit status and the output of a command."""

    code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        """Of `--json`."""
        return [json.loads(line) for line in self.out.splitlines()]


@asynccontextmanager
async def started(
    config: Path, *arguments: str, **environment: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`graphrelay --config config arguments`, whose input and output the test holds."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "graphrelay", "--config", str(config)),
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"COLUMNS": "120", "PYTHONUNBUFFERED": "1"} | environment,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def graphrelay(config: Path, *arguments: str, answer: str = "", **environment: str) -> Ended:
    """Run to the end."""
    async with started(config, *arguments, **environment) as process:
        out, err = await asyncio.wait_for(process.communicate(answer.encode()), 60)
        assert process.returncode is not None
        return Ended(process.returncode, out.decode(), err.decode())
