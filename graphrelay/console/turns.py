"""Turns: how much of the relay's time the pages of one user take.

One page of a user is made at a time, and over time all of them take no more than `SHARE` of it. So
the spool has one question of an impatient user waiting at most, whatever is reloaded how often, and
the pages of others and the command line go on. Nobody who reads what is shown gets near that.

The measure is the generic cell rate algorithm: each page moves the moment at which all is paid for
by its time divided by `SHARE`; who is further than `AHEAD` from it waits.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from graphrelay.clock import Clock

SHARE: Final = 0.25
AHEAD: Final = timedelta(seconds=20)
"""A user who comes has pages of 5 s in advance."""
MOST_WAITING: Final = 20
"""Pages of one user that wait for their turn."""
_MOST_USERS: Final = 1_000


class TooManyAtOnce(Exception):  # noqa: N818 (a condition, reported to the user)
    """Too many pages of the user wait already."""


@dataclass(slots=True)
class _User:
    paid: timedelta = timedelta(0)
    waiting: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Turns:
    """Those of all users."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._users: OrderedDict[Hashable, _User] = OrderedDict()

    @asynccontextmanager
    async def turn(self, who: Hashable) -> AsyncIterator[None]:
        """While a page of this user is made. Raises `TooManyAtOnce`."""
        user = self._user(who)
        if user.waiting >= MOST_WAITING:
            raise TooManyAtOnce
        user.waiting += 1
        try:
            await user.lock.acquire()
        finally:
            user.waiting -= 1
        try:
            early = user.paid - AHEAD - self._clock.monotonic()
            if early > timedelta(0):
                await self._clock.sleep(early)
            began = self._clock.monotonic()
            try:
                yield
            finally:
                took = self._clock.monotonic() - began
                user.paid = max(user.paid, began) + took / SHARE
        finally:
            user.lock.release()

    def _user(self, who: Hashable) -> _User:
        user = self._users.setdefault(who, _User())
        self._users.move_to_end(who)
        while len(self._users) > _MOST_USERS:
            self._users.popitem(last=False)
        return user
