"""Requests that another relay had in flight in lanes that are this one's now.

    gained ─▶ how many? ─▶ each counts as a request of the lane until its time limit ─▶ settled

That relay may be dead, or only cut off from the database: then its requests go on. So each counts
among the lane's requests until it must be over, and only then is it settled as uncertain.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

from graphrelay.clock import Clock
from graphrelay.model import Lane, StorageUnavailable
from graphrelay.relay.deliver.courier import WITHOUT_DISK
from graphrelay.spool.contract import Spool
from graphrelay.spool.queries import InFlight
from graphrelay.spool.values import Interrupted

Settle = Callable[[Interrupted], Awaitable[None]]
Counted = Callable[[Lane, int | None], None]


class EarlierRequests:
    """Owns a task for each lane that has such requests."""

    def __init__(self, spool: Spool, clock: Clock, settle: Settle, counted: Counted) -> None:
        """`counted` is called with how many there may be in a lane, whenever that changes."""
        self._spool = spool
        self._clock = clock
        self._settle = settle
        self._counted = counted
        self._tasks: asyncio.TaskGroup | None = None
        self._lanes: dict[Lane, asyncio.Task[None] | None] = {}

    def start(self, tasks: asyncio.TaskGroup) -> None:
        self._tasks = tasks
        for lane in self._lanes:
            self._lanes[lane] = tasks.create_task(self._see_to(lane))

    def expect(self, lane: Lane) -> None:
        """The lane is this relay's now: nothing may start there before its requests are counted."""
        self.forget(lane)
        self._counted(lane, None)
        self._lanes[lane] = self._tasks.create_task(self._see_to(lane)) if self._tasks else None

    def forget(self, lane: Lane) -> None:
        """The lane is another relay's."""
        if task := self._lanes.pop(lane, None):
            task.cancel()

    def cancel(self) -> None:
        """What is not settled is for the next owner."""
        self._tasks = None
        for lane in list(self._lanes):
            self.forget(lane)

    async def _see_to(self, lane: Lane) -> None:
        earlier = await self._found(lane)
        waited = timedelta(0)
        for number, one in enumerate(earlier):
            self._counted(lane, len(earlier) - number)
            await self._clock.sleep(one.settle_in - waited)
            waited = max(waited, one.settle_in)
            await self._insist(one)
        self._lanes.pop(lane, None)
        self._counted(lane, 0)

    async def _found(self, lane: Lane) -> list[Interrupted]:
        """In the order in which they are over."""
        while True:
            try:
                found = await self._spool.read(InFlight())
            except StorageUnavailable:  # whatever else needs the spool reports it
                await self._clock.sleep(WITHOUT_DISK)
            else:
                here = (one for one in found if one.lane == lane)
                return sorted(here, key=lambda one: one.settle_in)

    async def _insist(self, one: Interrupted) -> None:
        while True:
            try:
                return await self._settle(one)
            except StorageUnavailable:
                await self._clock.sleep(WITHOUT_DISK)
