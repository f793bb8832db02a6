"""A clock that the test moves."""

import asyncio
import heapq
import itertools
from datetime import UTC, datetime, timedelta


class FakeClock:
    """Stands still until `advance`; then wakes every sleeper whose time has come, in order."""

    def __init__(self, start: datetime = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)) -> None:
        self._now = start
        self._monotonic = timedelta(hours=1)
        self._sleepers: list[tuple[timedelta, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> timedelta:
        return self._monotonic

    def seconds(self) -> float:
        return self._monotonic.total_seconds()

    async def sleep(self, duration: timedelta) -> None:
        if duration <= timedelta(0):
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._monotonic + duration, next(self._order), woken))
        await woken

    def set_wall_clock(self, now: datetime) -> None:
        """Jump the wall clock alone, as an admin or NTP would."""
        self._now = now

    def set(self, now: datetime) -> timedelta | None:
        """It stays as it is: only the test moves it."""

    async def advance(self, duration: timedelta) -> None:
        """Move both clocks on, waking sleepers in the order of their times."""
        end = self._monotonic + duration
        await settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            at, _, woken = heapq.heappop(self._sleepers)
            self._step_to(at)
            if not woken.done():
                woken.set_result(None)
            await settle()
        self._step_to(end)
        await settle()

    @property
    def sleepers(self) -> int:
        """How many are asleep."""
        return sum(not woken.done() for _, _, woken in self._sleepers)

    def _step_to(self, at: timedelta) -> None:
        self._now += at - self._monotonic
        self._monotonic = at


async def settle(turns: int = 20) -> None:
    """Run everything that can run without the clock or the network."""
    for _ in range(turns):
        await asyncio.sleep(0)
