"""Programs run beside the test's event loop, which has to go on serving what they talk to."""

import asyncio
from collections.abc import Mapping
from pathlib import Path


async def run(
    program: Path | str,
    *arguments: str | Path,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    patience: float = 60,
) -> str:
    """Run to the end and return what was printed; anything but exit status 0 fails the test."""
    process = await asyncio.create_subprocess_exec(
        program,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=env,
        cwd=cwd,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(stdin), patience)
    except TimeoutError:
        process.kill()
        output, _ = await process.communicate()
        raise AssertionError(f"{program} did not end; it said:\n{output.decode()}") from None
    said = output.decode("utf-8", "replace")
    assert process.returncode == 0, f"{program} ended with {process.returncode}:\n{said}"
    return said
