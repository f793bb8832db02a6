"""Moves the mail of a paused lane to its backup, one message after the other.

    paused lane ──▶ its mail, a page at a time ──▶ moved on the disk ──▶ the backup's lane
                                                └── stays, until the pause is over

The spool decides: it moves nothing that is in flight, and refuses to begin an attempt at a message
in a lane that the message has left. So a message is never sent by both.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from datetime import timedelta

from graphrelay.journal import Journal, events
from graphrelay.model import Lane, Paused, QueueEntry, StorageUnavailable
from graphrelay.relay.policy.backups import Backups
from graphrelay.relay.queue.backup import TakeOver
from graphrelay.relay.queue.lane import LaneQueue, Stopped
from graphrelay.spool.contract import Spool
from graphrelay.spool.queries import QueueFilter

PAGE = 100


class HandOver:
    """Serves all lanes."""

    def __init__(
        self,
        spool: Spool,
        take_over: TakeOver | None,
        lanes: Mapping[Lane, LaneQueue],
        journal: Journal,
        add: Callable[[QueueEntry], None],
    ) -> None:
        """Without `take_over` no account has a backup. `add` queues in its new lane what was
        moved.
        """
        self._spool = spool
        self._take_over = take_over
        self._lanes = lanes
        self._journal = journal
        self._add = add
        self._asked_up_to: dict[Lane, int] = {}
        """The last submission of each paused lane that was moved or has to stay."""
        self._reconsidered: dict[Lane, set[int]] = {}
        """Earlier submissions that were in flight or held then, and are queued now."""
        self._tasks: dict[Lane, asyncio.Task[None]] = {}
        """The paused lanes that are being emptied."""

    def use(self, backups: Backups) -> bool:
        """Use other settings from now on. Returns whether that changes anything."""
        if self._take_over is None:
            return False
        self._take_over.use(backups)
        self.forget_what_stays()
        return True

    def forget_what_stays(self, lane: Lane | None = None) -> None:
        """Try again to move what could not be moved: in one lane, or in all."""
        if lane is None:
            self._asked_up_to.clear()
            self._reconsidered.clear()
        else:
            self._asked_up_to.pop(lane, None)
            self._reconsidered.pop(lane, None)

    def reconsider(self, entry: QueueEntry) -> None:
        """Consider a submission that may not have been queued when its lane was read."""
        if entry.submission_id <= self._asked_up_to.get(entry.lane, 0):
            self._reconsidered.setdefault(entry.lane, set()).add(entry.submission_id)

    def start_if_paused(self, queue: LaneQueue, now: timedelta, tasks: asyncio.TaskGroup) -> None:
        state = queue.state
        if self._take_over is None or queue.lane in self._tasks:
            return
        if isinstance(state, Stopped) and now < state.until:
            to = self._take_over.lane(queue.lane, state.paused)
            if to is not None and not self._is_stopped(to):
                task = tasks.create_task(self._empty(queue, to, self._take_over))
                self._tasks[queue.lane] = task

    def cancel(self) -> None:
        for task in self._tasks.values():
            task.cancel()

    async def _empty(self, queue: LaneQueue, to: Lane, take_over: TakeOver) -> None:
        """Move mail while this pause lasts."""
        page: deque[int] = deque()
        try:
            while (submission_id := await self._next(queue.lane, page)) is not None:
                state = queue.state
                if not isinstance(state, Stopped) or self._is_stopped(to):
                    return
                moved = await self._moved(submission_id, to, state.paused, take_over)
                if moved is not None:
                    queue.remove(submission_id)
                    self._add(moved)
        except StorageUnavailable as error:
            self._journal.write(events.NotMoved(lane=str(queue.lane), reason=str(error)))
        finally:
            del self._tasks[queue.lane]

    async def _next(self, lane: Lane, page: deque[int]) -> int | None:
        """The next submission of the lane to move."""
        if again := self._reconsidered.get(lane):
            return again.pop()
        if not page:
            page += await self._page(lane, self._asked_up_to.get(lane, 0))
        if not page:
            return None
        self._asked_up_to[lane] = page[0]
        return page.popleft()

    async def _page(self, lane: Lane, after: int) -> list[int]:
        wanted = QueueFilter(
            state="queued",
            account=lane.account,
            mailbox=lane.mailbox,
            after_id=after,
            limit=PAGE,
        )
        return [row.submission_id for row in await self._spool.read(wanted)]

    async def _moved(
        self, submission_id: int, to: Lane, paused: Paused, take_over: TakeOver
    ) -> QueueEntry | None:
        """The entry as queued in the backup's lane; `None` if it is not moved."""
        try:
            return await take_over.move(submission_id, to, paused)
        except Exception as error:
            # The disk is full, or this is a bug: it stays in its own lane.
            self._journal.write(events.NotMoved(submission=submission_id, reason=repr(error)))
            return None

    def _is_stopped(self, lane: Lane) -> bool:
        queue = self._lanes.get(lane)
        return queue is not None and isinstance(queue.state, Stopped)
