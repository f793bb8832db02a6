"""Counts the calls on the path of one small message, from its acceptance to the request to Graph.

    python -m tests.relay.walk            the number of calls and files of each part
    python -m tests.relay.walk --calls    each call as well

A real relay sends through the sandbox, in one process. Only functions of graphrelay are counted, in
the task that carries the message: neither libraries nor the threads of the database and the vault.
"""

import asyncio
import smtplib
import sys
from dataclasses import dataclass, field
from dis import opname
from pathlib import Path
from tempfile import TemporaryDirectory
from types import CodeType, FrameType

import graphrelay
from tests.world import world

PACKAGE = Path(graphrelay.__file__).parent
VALUES = frozenset({"mime", "model", "journal", "alerts", "clock.py"})
MESSAGE = "From: wp@contoso.com\r\nTo: you@example.org\r\nSubject: A walk\r\n\r\nHello\r\n"


@dataclass(slots=True)
class Part:
    """The calls in one task from the first call of `begin` until `begin` returns, or `end` is
    called."""

    begin: str
    end: str = ""
    frames: list[FrameType] = field(default_factory=list)
    """Kept, since the resumption of a coroutine is an event of the same frame."""
    task: object = None
    is_over: bool = False

    def see(self, frame: FrameType, event: str) -> None:
        called = frame.f_code.co_qualname
        if self.is_over or (self.task is None and called != self.begin):
            return
        if self.task is None:
            self.task = asyncio.current_task()
        if asyncio.current_task() is not self.task:
            return
        if event == "call" and not any(frame is seen for seen in self.frames):
            self.frames.append(frame)
        self.is_over = called == self.end if event == "call" else self._returned(frame)

    def _returned(self, frame: FrameType) -> bool:
        """A coroutine that waits has an event of its own, and continues after it."""
        return not self.end and frame is self.frames[0] and not _waits(frame)

    def calls(self, *, values: bool = True) -> list[CodeType]:
        """Without comprehensions. With `values=False` without the rooms that only compute."""
        codes = (frame.f_code for frame in self.frames)
        named = (code for code in codes if not code.co_name.startswith("<"))
        return [code for code in named if values or file_of(code).split("/")[0] not in VALUES]


def figures(calls: list[CodeType]) -> str:
    return f"{len(calls)} calls in {len({file_of(code) for code in calls})} files"


def _waits(frame: FrameType) -> bool:
    return opname[frame.f_code.co_code[frame.f_lasti]] == "YIELD_VALUE"


def file_of(code: CodeType) -> str:
    return str(Path(code.co_filename).relative_to(PACKAGE))


async def walk(directory: Path) -> list[Part]:
    """The acceptance, and the way from the queue to the request."""
    parts = [Part("MailReception.accept"), Part("QueueManager._carry", "HttpAttempt._converse")]

    def profile(frame: FrameType, event: str, _: object) -> None:
        path = frame.f_code.co_filename
        if event in ("call", "return") and path.startswith(str(PACKAGE)) and "sandbox" not in path:
            for part in parts:
                part.see(frame, event)

    async with world(directory) as here:
        sys.setprofile(profile)
        try:
            await asyncio.to_thread(_send, here.port)
            await here.event("relayed")
        finally:
            sys.setprofile(None)
    return parts


def _send(port: int) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
        client.sendmail("wp@contoso.com", ["you@example.org"], MESSAGE)


def main() -> None:
    with TemporaryDirectory() as directory:
        parts = asyncio.run(walk(Path(directory)))
    for name, part in zip(("accept to 250", "queue to POST"), parts, strict=True):
        print(f"{name}: {figures(part.calls())}")
        print(f"    without values: {figures(part.calls(values=False))}")
        if "--calls" in sys.argv:
            print(*(f"    {file_of(code)}: {code.co_qualname}" for code in part.calls()), sep="\n")


if __name__ == "__main__":
    main()
