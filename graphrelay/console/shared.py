"""An answer of the spool that several pages share for a moment: those that ask while it is read
wait for it.

An answer that took long to read is kept longer, so that pages that renew themselves never use more
than a fiftieth of the spool's time, however long the queue is and however many of them are open. It
may be from before the last change then; a page that shows it asks again (`newer_in`), since no
event may follow.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final, Generic, TypeVar

from graphrelay.clock import Clock
from graphrelay.console.live import PAUSE

T = TypeVar("T")
SHARE: Final = 50


class SharedAnswer(Generic[T]):
    """The latest answer to one question."""

    def __init__(
        self,
        clock: Clock,
        read: Callable[[], Awaitable[T]],
        changes: Callable[[], int] = lambda: 0,
    ) -> None:
        """`changes`: how many there have been."""
        self._clock = clock
        self._read = read
        self._changes = changes
        self._known = 0
        self._answer: T | None = None
        self._began = timedelta(0)
        self._until: timedelta | None = None
        self._reading = asyncio.Lock()

    async def get(self, *, for_person: bool = False) -> T:
        """The answer, read again unless it is recent. An open page hears of a change `PAUSE` later,
        so an answer from before the change is old by then. A person who has just done something
        gets no answer from before."""
        asked = self._clock.monotonic()
        async with self._reading:
            began = self._clock.monotonic()
            is_old = self._until is None or began >= self._until
            if self._answer is None or is_old or (for_person and self._began < asked):
                known = self._changes()
                self._answer, self._began, self._known = await self._read(), began, known
                took = self._clock.monotonic() - began
                self._until = began + max(PAUSE, SHARE * took)
            return self._answer

    @property
    def newer_in(self) -> timedelta | None:
        """How long it takes until there is an answer that knows of the last change; `None` if the
        present one does."""
        if self._until is None or self._known == self._changes():
            return None
        return max(timedelta(0), self._until - self._clock.monotonic())
