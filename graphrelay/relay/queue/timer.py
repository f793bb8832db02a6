"""One timer for all lanes, set to the earliest alarm.

An alarm that goes off too early does no harm: the lane is served and sets the next one. So a lane
has one alarm at a time, and a later one never replaces an earlier one.
"""

import asyncio
import heapq
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from graphrelay.clock import Clock, timeout
from graphrelay.model import Lane


class Alarms:
    """Times are monotonic."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[timedelta, Lane]] = []
        self._set: dict[Lane, timedelta] = {}
        self._sooner = asyncio.Event()
        self._sleeping_until: timedelta | None = None

    def set(self, lane: Lane, at: timedelta) -> None:
        """Wake `lane` at `at`, or earlier."""
        if lane in self._set and self._set[lane] <= at:
            return
        self._set[lane] = at
        heapq.heappush(self._heap, (at, lane))
        if self._sleeping_until is None or at < self._sleeping_until:
            self._sooner.set()

    async def run(self, ring: Callable[[Lane], None]) -> None:
        """Never returns."""
        while True:
            self._sooner.clear()
            self._ring_due(ring)
            if not self._heap:
                self._sleeping_until = None
                await self._sooner.wait()
            elif not self._sooner.is_set():
                self._sleeping_until = self._heap[0][0]
                await self._sleep(self._sleeping_until - self._clock.monotonic())

    def _ring_due(self, ring: Callable[[Lane], None]) -> None:
        now = self._clock.monotonic()
        while self._heap and self._heap[0][0] <= now:
            at, lane = heapq.heappop(self._heap)
            if self._set.get(lane) == at:
                del self._set[lane]
                ring(lane)

    async def _sleep(self, duration: timedelta) -> None:
        """Until `duration` is over, or an earlier alarm has been set."""
        with suppress(TimeoutError):
            async with timeout(self._clock, duration):
                await self._sooner.wait()
