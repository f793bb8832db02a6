"""Time as a parameter.

Nothing in the relay asks the operating system for the time or sleeps by itself: it is handed a
`Clock`. So a test moves five days on in a millisecond, and never waits. `timeout` is the one way to
wait for something with a limit by such a clock. (What waits for the network itself, octet by
octet, uses `asyncio.timeout`.)

Two times, never mixed: `now()` is the wall clock, for what people read and what is kept on disk;
it may jump. `monotonic()` measures how long something takes; it never goes back, and means
nothing to another process.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""
        ...

    def monotonic(self) -> timedelta:
        """Time since some fixed moment of this process; never goes back."""
        ...

    def seconds(self) -> float:
        """`monotonic` as a number: for what is measured many times in each message."""
        ...

    async def sleep(self, duration: timedelta) -> None:
        """Return when `duration` has passed on the monotonic clock."""
        ...

    def set(self, now: datetime) -> timedelta | None:
        """Go by another wall clock, which shows `now`, if it differs by `TOLERANCE` or more; then
        by how much it is ahead of the machine's, if that is new."""
        ...


TOLERANCE = timedelta(seconds=2)
"""What the clocks of machines that are set by NTP never differ by."""


class SystemClock:
    """The clock of this machine, which may be set by another one."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def set(self, now: datetime) -> timedelta | None:
        ahead = now - datetime.now(UTC)
        if abs(ahead) < TOLERANCE:
            ahead = timedelta(0)
        if abs(ahead - self._ahead) < TOLERANCE:
            return None
        self._ahead = ahead
        return ahead

    def monotonic(self) -> timedelta:
        return timedelta(seconds=time.monotonic())

    def seconds(self) -> float:
        return time.monotonic()

    async def sleep(self, duration: timedelta) -> None:
        await asyncio.sleep(max(0.0, duration.total_seconds()))


@asynccontextmanager
async def timeout(clock: Clock, limit: timedelta) -> AsyncIterator[None]:
    """As `asyncio.timeout`, by `clock`: cancels the block when `limit` has passed, and then raises
    `TimeoutError`. The block is waited for; to leave something running, wait for it by
    `asyncio.wait`, which cancels nothing."""
    async with asyncio.timeout(None) as deadline:

        async def expire() -> None:
            await clock.sleep(limit)
            deadline.reschedule(asyncio.get_running_loop().time())

        timer = asyncio.ensure_future(expire())
        try:
            yield
        finally:
            timer.cancel()
