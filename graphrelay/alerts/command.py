"""An alert to a program of the admin's: JSON on its standard input, the sentence as last argument.

There is no shell between, so nothing in a text can be run. The program gets a process group of its
own, which is killed when it takes too long, and of our environment only what any program needs:
ours may hold secrets.
"""

import asyncio
import contextlib
import json
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from graphrelay.alerts.alert import Alert, clean
from graphrelay.alerts.way import NotSent, Sent

TIME_LIMIT = timedelta(seconds=30)
KEPT = 2000
"""Octets of its standard error that are looked at."""
_LAST_WORDS_TIME = 1.0
"""Seconds for the pipes of what was killed to close, and then for its end to be seen."""
PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ")


@dataclass(frozen=True, slots=True)
class Command:
    """A `Way`."""

    words: tuple[str, ...]
    """The program and its arguments."""
    time_limit: timedelta = TIME_LIMIT

    @property
    def name(self) -> str:
        return f"command {Path(self.words[0]).name}"

    async def send(self, alert: Alert) -> Sent | NotSent:
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        try:
            process = await asyncio.create_subprocess_exec(
                *self.words,
                alert.sentence,
                stdin=PIPE,
                stdout=DEVNULL,
                stderr=PIPE,
                env=environment,
                start_new_session=True,
            )
        except (FileNotFoundError, PermissionError, ValueError) as error:
            return NotSent(f"cannot be started: {error}", again=False)
        except OSError as error:  # no descriptors, processes or memory left just now
            return NotSent(f"cannot be started: {error}", again=True)
        try:
            return await self._outcome(process, json.dumps(alert.plain).encode() + b"\n")
        finally:
            await _end(process)

    async def _outcome(self, process: Process, given: bytes) -> Sent | NotSent:
        try:
            async with asyncio.timeout(self.time_limit.total_seconds()):
                _, said = await asyncio.gather(_give(process, given), _last_words(process))
                await process.wait()
        except TimeoutError:
            await _kill(process)
            if process.returncode == 0:  # It had done its work; what it left behind had not.
                return Sent()
            limit = self.time_limit.total_seconds()
            return NotSent(f"ran for more than {limit:g} s and was killed", again=True)
        if process.returncode == 0:
            return Sent()
        lines = said.decode("utf-8", "replace").strip().splitlines()
        told = f": {clean(lines[-1], 120)}" if lines else ""
        return NotSent(f"ended with status {process.returncode}{told}", again=True)


async def _give(process: Process, given: bytes) -> None:
    """A program need not read what it is given."""
    assert process.stdin is not None  # noqa: S101 (it was started with a pipe)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(given)
        await process.stdin.drain()
    process.stdin.close()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        await process.stdin.wait_closed()


async def _last_words(process: Process) -> bytes:
    """The end of its standard error, however much it writes."""
    assert process.stderr is not None  # noqa: S101 (it was started with a pipe)
    said = b""
    while piece := await process.stderr.read(65536):
        said = (said + piece)[-KEPT:]
    return said


async def _end(process: Process) -> None:
    """Nothing of a program that did not come to its end is left running, but for what cannot be
    killed: it runs as another user, or waits for a dead disk. That is not waited for."""
    if process.returncode is None:
        await _kill(process)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LAST_WORDS_TIME):
            await process.wait()


async def _kill(process: Process) -> None:
    """Its whole process group; then its pipes close, unless somebody left the group with them."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LAST_WORDS_TIME):
            await _last_words(process)
