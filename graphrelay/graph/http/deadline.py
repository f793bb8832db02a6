"""A deadline that moves while a request progresses."""

import asyncio
from datetime import timedelta
from math import inf
from types import TracebackType


class MovingDeadline:
    """As `asyncio.timeout`, which sets a new timer whenever it is moved. Here one goes on that is
    too early, and looks again; there is rarely more than one for a request."""

    def __init__(self) -> None:
        self._timeout = asyncio.timeout(None)
        self._at = inf
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = inf

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await self._timeout.__aexit__(kind, error, trace)

    def expired(self) -> bool:
        return self._timeout.expired()

    def move(self, limit: timedelta | None) -> None:
        """So far from now, or to no end. Raises `RuntimeError` outside of the block."""
        self._timeout.reschedule(None)
        if limit is None:
            self._at = inf
            return
        self._at = asyncio.get_running_loop().time() + limit.total_seconds()
        if self._at < self._timer_at:
            self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = self._at
        self._timer = asyncio.get_running_loop().call_at(self._at, self._look)

    def _look(self) -> None:
        self._timer, self._timer_at = None, inf
        if self._at <= asyncio.get_running_loop().time():
            self._timeout.reschedule(self._at)
        elif self._at < inf:
            self._set_timer()
