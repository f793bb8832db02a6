"""What has changed, for the pages that are open: server-sent events.

    journal ─▶ Changes ─▶ stream ─▶ browser, which asks for its page again

An event says only that something has changed, and is sent `PAUSE` after the change, later where
many pages are open (`pause`): a stream never carries more than one event in that time, and the page
then receives data newer than the change. A browser that does not read is cut off, and the number of
streams is limited.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from graphrelay.clock import Clock, timeout
from graphrelay.journal import Entry

PAUSE: Final = timedelta(seconds=2)
EACH: Final = timedelta(seconds=1)
"""What each open stream takes of the pause: on average there is one event in that time."""
SIGN_OF_LIFE: Final = timedelta(seconds=15)
UNREAD: Final = timedelta(seconds=10)
"""How long an event may wait for its browser to read."""
MOST: Final = 50
"""Streams at once, and `MOST_EACH` of one session."""
MOST_EACH: Final = 10


@dataclass(frozen=True, eq=False)
class Stream:
    """One that is counted. Its handler notices only at its next event that the browser has left,
    so `has_left` is asked before others are refused."""

    session: bytes
    has_left: Callable[[], bool]


class Changes:
    """Counts changes, and wakes everything that waits for the next one."""

    def __init__(self) -> None:
        self.count = 0
        self._next = asyncio.Event()
        self._streams: list[Stream] = []

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

    @property
    def pause(self) -> timedelta:
        """From a change to its event: the more pages are open, the less often each is renewed, so
        that they do not take the relay's time from the mail."""
        return max(PAUSE, EACH * len(self._streams))

    def enter(self, session: bytes, has_left: Callable[[], bool]) -> Stream | None:
        """Count a stream of a session; `None` if there are too many whose browsers are there."""
        self._streams = [one for one in self._streams if not one.has_left()]
        of_session = sum(one.session == session for one in self._streams)
        if len(self._streams) >= MOST or of_session >= MOST_EACH:
            return None
        self._streams.append(entered := Stream(session, has_left))
        return entered

    def leave(self, stream: Stream) -> None:
        """A stream has ended."""
        if stream in self._streams:
            self._streams.remove(stream)


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
            await clock.sleep(changes.pause)  # changes in the meantime are part of the same event
            seen = changes.count
            line = b"data: %d\n\n" % seen
        except TimeoutError:
            pass
        async with timeout(clock, UNREAD):
            await write(line)
