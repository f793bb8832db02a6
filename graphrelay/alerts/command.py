"""An alert as a call of a program of the admin's: JSON on its standard input, the sentence as its
last argument.

No shell is involved, so nothing in a text can be executed. The program runs in a process group of
its own, which is killed when it takes too long. Of the relay's environment, which may hold secrets,
it gets only what any program needs.
"""

import asyncio
import contextlib
import json
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from graphrelay.alerts.alert import Alert
from graphrelay.alerts.channel import AlertNotSent, Sent
from graphrelay.clock import Clock, SystemClock, timeout
from graphrelay.model import one_line

TIME_LIMIT = timedelta(seconds=30)
KEPT = 2000
"""Octets at the end of its standard error that are kept."""
_LAST_WORDS = timedelta(seconds=1)
"""How long a killed program has to close its pipes, and then to end."""
PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ")


@dataclass(frozen=True, slots=True)
class Command:
    """A `Channel`."""

    words: tuple[str, ...]
    """The program and its arguments."""
    clock: Clock = field(default=SystemClock(), compare=False, repr=False)

    @property
    def name(self) -> str:
        return f"command {Path(self.words[0]).name}"

    async def send(self, alert: Alert) -> Sent | AlertNotSent:
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
            return AlertNotSent(f"cannot be started: {error}", again=False)
        except OSError as error:  # no descriptors, processes or memory left just now
            return AlertNotSent(f"cannot be started: {error}", again=True)
        try:
            return await self._outcome(process, json.dumps(alert.plain).encode() + b"\n")
        finally:
            await _end(process, self.clock)

    async def _outcome(self, process: Process, given: bytes) -> Sent | AlertNotSent:
        try:
            async with timeout(self.clock, TIME_LIMIT):
                _, said = await asyncio.gather(_give(process, given), _last_words(process))
                await process.wait()
        except TimeoutError:
            await _kill(process, self.clock)
            if process.returncode == 0:  # it succeeded; a process that it left behind has not ended
                return Sent()
            return AlertNotSent(f"ran for {TIME_LIMIT.seconds} seconds and was killed", again=True)
        if process.returncode == 0:
            return Sent()
        lines = said.decode("utf-8", "replace").strip().splitlines()
        line = f": {one_line(lines[-1], 120)}" if lines else ""
        return AlertNotSent(f"ended with status {process.returncode}{line}", again=True)


async def _give(process: Process, given: bytes) -> None:
    """A program need not read its standard input."""
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


async def _end(process: Process, clock: Clock) -> None:
    """Leave no part of the program running. A process that cannot be killed (it runs as another
    user, or waits for a dead disk) is not waited for."""
    if process.returncode is None:
        await _kill(process, clock)
    with contextlib.suppress(TimeoutError):
        async with timeout(clock, _LAST_WORDS):
            await process.wait()


async def _kill(process: Process, clock: Clock) -> None:
    """Kill its process group; its pipes then close, unless a process left the group with them."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        async with timeout(clock, _LAST_WORDS):
            await _last_words(process)
