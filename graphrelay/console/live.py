"""What has changed, for the pages that are open: server-sent events.

    journal ─▶ Changes ─▶ stream ─▶ browser, which asks for its page again

An event says only that something has changed, and is sent `PAUSE` after the change: a stream never
carries more than one event in that time, and the page then receives data newer than the change. A
browser that does not read is cut off, and the number of streams is limited.
"""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, Final

from graphrelay.clock import Clock, timeout
from graphrelay.journal import Entry

PAUSE: Final = timedelta(seconds=2)
SIGN_OF_LIFE: Final = timedelta(seconds=15)
UNREAD: Final = timedelta(seconds=10)
"""How long an event may wait for its browser to read."""
MOST: Final = 50
"""Streams at once, and `MOST_EACH` of one session."""
MOST_EACH: Final = 10


class Changes:
    """Counts changes, and wakes everything that waits for the next one."""

    def __init__(self) -> None:
        self.count = 0
        self._next = asyncio.Event()
        self._streams: list[bytes] = []

    def hear(self, _: Entry) -> None:
        """A sink of the journal: whatever is written there may show on a page."""
        self.changed()

    def changed(self) -> None:
        """Something is new."""
        self.count += 1
        self._next.set()

    async def after(self, seen: int) -> int:
        """Wait for a change after `seen`; the count."""
        while self.count == seen:
            self._next.clear()
            await self._next.wait()
        return self.count

    # Streams ---------------------------------------------------------------------------------

    def enter(self, session: bytes) -> bool:
        """Count a stream of a session, unless there are too many."""
        if len(self._streams) >= MOST or self._streams.count(session) >= MOST_EACH:
            return False
        self._streams.append(session)
        return True

    def leave(self, session: bytes) -> None:
        """A stream has ended."""
        self._streams.remove(session)


async def stream(
    changes: Changes,
    clock: Clock,
    is_open: Callable[[], bool],
    write: Callable[[bytes], Coroutine[Any, Any, None]],
) -> None:
    """Write events until the session or the connection ends. Raises `ConnectionError`,
    `TimeoutError` for a browser that does not read."""
    seen = -1
    while is_open():
        line = b": still here\n\n"
        try:
            async with timeout(clock, SIGN_OF_LIFE):
                await changes.after(seen)
            await clock.sleep(PAUSE)  # changes in the meantime are part of the same event
            seen = changes.count
            line = b"data: %d\n\n" % seen
        except TimeoutError:
            pass
        async with timeout(clock, UNREAD):
            await write(line)
