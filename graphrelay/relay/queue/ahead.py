"""What is read before its turn: of each lane the one message that will probably go next.

    four are on the wire ──▶ the next one is read ──▶ an answer comes in: it is marked, and goes

Reading ahead changes nothing, on the disk or in the lane: the message waits as before, and may be
held, deleted, moved or overtaken. So what was read serves whoever takes the lane's next turn if it
is that very message, and is thrown away otherwise. It must be thrown away also whenever the message
may have been attempted or moved meanwhile, which is when its lane does not flow (`forget`).
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from graphrelay.model import Lane, Waiting
from graphrelay.relay.deliver.result import Read


@dataclass(frozen=True, slots=True)
class _Entry:
    submission_id: int
    task: asyncio.Task[Read | None]


class Ahead:
    """`read` never raises; `None`: it could not be read."""

    def __init__(self, read: Callable[[Waiting], Coroutine[Any, Any, Read | None]]) -> None:
        self._read = read
        self._entries: dict[Lane, _Entry] = {}

    def look(self, waiting: Waiting, tasks: asyncio.TaskGroup) -> None:
        """It will probably go next in its lane."""
        found = self._entries.get(waiting.lane)
        if found is not None and found.submission_id == waiting.submission_id:
            return
        self.forget(waiting.lane)
        task = tasks.create_task(self._read(waiting))
        self._entries[waiting.lane] = _Entry(waiting.submission_id, task)

    def take(self, waiting: Waiting) -> Read | None:
        """What was read of a message that goes now. What is not read yet would give way to others,
        and is thrown away too: now it must be read at once."""
        found = self._entries.get(waiting.lane)
        self.forget(waiting.lane)
        if found is None or found.submission_id != waiting.submission_id or not found.task.done():
            return None
        return found.task.result()

    def forget(self, lane: Lane) -> None:
        if found := self._entries.pop(lane, None):
            found.task.cancel()

    def forget_all(self) -> None:
        for lane in list(self._entries):
            self.forget(lane)
