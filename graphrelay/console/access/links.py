"""Links that sign in a user of the control socket: once, within five minutes.

A link is opened by a button on the page that it leads to, so that a program that only fetches
addresses (a preview, a prefetching browser) does not use it up.
"""

import hashlib
import secrets
from collections import OrderedDict
from datetime import timedelta
from typing import Final

from graphrelay.clock import Clock

LASTS: Final = timedelta(minutes=5)
_MOST: Final = 100
"""Links that are unused at once; beyond that the oldest is void."""


class Links:
    """Those that were issued and have been neither used nor expired."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._unused: OrderedDict[bytes, tuple[str, timedelta]] = OrderedDict()

    def make(self, who: str) -> str:
        """The secret part of a link for `who`."""
        value = secrets.token_urlsafe(32)
        self._unused[_key(value)] = (who, self._clock.monotonic() + LASTS)
        while len(self._unused) > _MOST:
            self._unused.popitem(last=False)
        return value

    def look(self, value: str) -> str | None:
        """For whom the link is, if it still works."""
        who, until = self._unused.get(_key(value), ("", timedelta(0)))
        return who if self._clock.monotonic() < until else None

    def use(self, value: str) -> str | None:
        """The same; the link no longer works afterwards."""
        who = self.look(value)
        self._unused.pop(_key(value), None)
        return who


def _key(value: str) -> bytes:
    return hashlib.sha256(value.encode()).digest()
