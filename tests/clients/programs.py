"""Programs run beside the test's event loop, which has to keep serving their connections."""

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
    """Run to the end and return what was printed; any other exit status than 0 fails the test."""
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
