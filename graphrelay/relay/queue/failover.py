"""Moving what waits in a paused lane to its backup, a message after the other.

    paused lane ──▶ taken out ──▶ moved on the disk ──▶ the backup's lane
                        │
                        └── stays: back into its own lane, until the pause is over

Between two lanes a message stands in none, whatever people ask for: in two it would be started
twice. So whatever comes of a move, `back` is told where the message waits now.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta

from graphrelay.journal import Journal, events
from graphrelay.model import Lane, Paused, Waiting
from graphrelay.relay.queue.backup import Backups, TakeOver
from graphrelay.relay.queue.lane import LaneQueue, Stopped


class HandOver:
    """One for all lanes; `in` tells whether a submission is on its way between two."""

    def __init__(
        self,
        take_over: TakeOver | None,
        lanes: Mapping[Lane, LaneQueue],
        journal: Journal,
        back: Callable[[Waiting, Waiting | None], None],
    ) -> None:
        """Without `take_over` no account has a backup. `back(waiting, moved)`: it stands in no lane
        any more, and waits as `moved`, or as before where that is `None`."""
        self._take_over = take_over
        self._lanes = lanes
        self._journal = journal
        self._back = back
        self._moving: set[int] = set()
        self._stays: dict[Lane, set[int]] = {}
        """What cannot go by the backup of a lane that has been paused."""
        self._tasks: dict[Lane, asyncio.Task[None]] = {}
        """Paused lanes that are being emptied."""

    def __contains__(self, submission_id: int) -> bool:
        return submission_id in self._moving

    def use(self, backups: Backups) -> bool:
        """Go by other settings from now on; whether that changes anything."""
        if self._take_over is None:
            return False
        self._take_over.use(backups)
        self._stays.clear()
        return True

    def forget_what_stays(self, lane: Lane | None = None) -> None:
        """What could not be moved may be by now: of one lane, or of all."""
        if lane is None:
            self._stays.clear()
        else:
            self._stays.pop(lane, None)

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
        """As long as this pause lasts."""
        stays = self._stays.setdefault(queue.lane, set())
        try:
            while isinstance(state := queue.state, Stopped) and not self._is_stopped(to):
                waiting = _take_out(queue, stays)
                if waiting is None:
                    return
                stays.add(waiting.submission_id)
                moved = await self._moved(waiting, to, state.paused, take_over)
                if moved is not None:
                    stays.discard(waiting.submission_id)
                self._back(waiting, moved)
        finally:
            del self._tasks[queue.lane]

    async def _moved(
        self, waiting: Waiting, to: Lane, paused: Paused, take_over: TakeOver
    ) -> Waiting | None:
        """As it waits in the backup's lane; `None` where it stays."""
        self._moving.add(waiting.submission_id)
        try:
            return await take_over.move(waiting, to, paused)
        except Exception as error:
            # A full disk, or a mistake of ours: it waits for its own lane.
            self._journal.write(
                events.NotMoved(submission=waiting.submission_id, reason=repr(error))
            )
            return None
        finally:
            self._moving.discard(waiting.submission_id)

    def _is_stopped(self, lane: Lane) -> bool:
        queue = self._lanes.get(lane)
        return queue is not None and isinstance(queue.state, Stopped)


def _take_out(queue: LaneQueue, stays: set[int]) -> Waiting | None:
    """Out of the lane, so that nobody starts it meanwhile; what is in flight stays there."""
    return next(
        (
            waiting
            for waiting in queue.waiting()
            if waiting.submission_id not in stays and queue.remove(waiting.submission_id)
        ),
        None,
    )
