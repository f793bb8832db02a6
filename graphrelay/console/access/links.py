"""Links that sign in whoever may ask the control socket: once, within five minutes.

A link is opened by a button on the page that it leads to, so that nothing which merely looks at
addresses (a preview, a browser that loads ahead) uses it up.
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
    """Those that were given out and are neither used nor too old."""

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
        """The same; and from now on it does not work any more."""
        who = self.look(value)
        self._unused.pop(_key(value), None)
        return who


def _key(value: str) -> bytes:
    return hashlib.sha256(value.encode()).digest()
