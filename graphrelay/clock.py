"""Time as a parameter.

Nothing in the relay asks the operating system for the time or sleeps by itself: it is handed a
`Clock`. So a test moves five days on in a millisecond, and nothing there ever waits.

Two times, never mixed: `now()` is the wall clock, for what people read and what is kept on disk;
it may jump. `monotonic()` measures how long something takes; it never goes back, and means
nothing to another process.
"""

import asyncio
import time
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


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> timedelta:
        return timedelta(seconds=time.monotonic())

    def seconds(self) -> float:
        return time.monotonic()

    async def sleep(self, duration: timedelta) -> None:
        await asyncio.sleep(max(0.0, duration.total_seconds()))
