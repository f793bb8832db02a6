"""The order in which messages that are due are sent.

    logins take turns ─▶ clients of a login ─▶ senders of a client ─▶ small and large ─▶ the oldest

So an alarm does not wait for fifty thousand newsletters that came before it. The sender is the one
in From: the programs of a machine share its IP address, and a mailing may give each message its own
reverse path (VERP) with the same From. A client can choose even From freely, but neither its login
nor its IP address. Large messages take turns separately, and leave connections for small ones:
`small_only` skips them.
"""

import heapq
from collections import OrderedDict
from collections.abc import Hashable
from datetime import datetime

from graphrelay.model import QueueEntry
from graphrelay.spool.values import LARGE


def is_large(entry: QueueEntry) -> bool:
    return entry.size >= LARGE


def _path(entry: QueueEntry) -> tuple[Hashable, ...]:
    return entry.login, entry.client, entry.sender, is_large(entry)


_Heap = list[tuple[datetime, int]]


class _Turns:
    """The names that take turns on one level; below each are those of the next level, and below the
    last a heap."""

    __slots__ = ("below", "count", "small")

    def __init__(self) -> None:
        self.below: OrderedDict[Hashable, _Turns | _Heap] = OrderedDict()
        self.count = 0
        """The number of messages below, and of small ones among them."""
        self.small = 0

    def push(self, path: tuple[Hashable, ...], item: tuple[datetime, int]) -> None:
        """`path` ends with whether the message is large."""
        self.count += 1
        self.small += not path[-1]
        first, *others = path
        below = self.below.get(first)
        if below is None:
            below = self.below[first] = _Turns() if others else []
        if isinstance(below, _Turns):
            below.push(tuple(others), item)
        else:
            heapq.heappush(below, item)

    def has(self, path: tuple[Hashable, ...]) -> bool:
        """Whether there is anything below `path`, which may end above the last level."""
        found: _Turns | _Heap | None = self
        for name in path:
            if not isinstance(found, _Turns):
                break
            found = found.below.get(name)
        return found is not None

    def first(self, *, small_only: bool) -> int | None:
        found = self._next(small_only)
        if found is None:
            return None
        below = self.below[found]
        return below.first(small_only=small_only) if isinstance(below, _Turns) else below[0][1]

    def pop(self, *, small_only: bool) -> int:
        """To be called if `first` finds something; the name whose turn it was then comes last."""
        found = self._next(small_only)
        self.count -= 1
        below = self.below[found]
        if isinstance(below, _Turns):
            small = below.small
            submission_id = below.pop(small_only=small_only)
            self.small -= small - below.small
            is_empty = not below.below
        else:
            _, submission_id = heapq.heappop(below)
            self.small -= not found
            is_empty = not below
        if is_empty:
            del self.below[found]
        else:
            self.below.move_to_end(found)
        return submission_id

    def _next(self, small_only: bool) -> Hashable | None:
        for found, below in self.below.items():
            if not small_only:
                return found
            if below.small if isinstance(below, _Turns) else not found:
                return found
        return None


class Due:
    """Ids of submissions, each possibly more than once; the caller knows which are valid."""

    def __init__(self) -> None:
        self._turns = _Turns()

    def push(self, entry: QueueEntry) -> None:
        self._turns.push(_path(entry), (entry.received_at, entry.submission_id))

    def pop(self, *, small_only: bool = False) -> int | None:
        """Remove and return the next one."""
        if not self.has(small_only=small_only):
            return None
        return self._turns.pop(small_only=small_only)

    def first(self, *, small_only: bool = False) -> int | None:
        """What `pop` would return, without removing it."""
        return self._turns.first(small_only=small_only)

    def has(self, *, small_only: bool = False) -> bool:
        """Whether `pop` would find something."""
        return bool(self._turns.small if small_only else self._turns.below)

    def has_large(self) -> bool:
        """Whether there is a large message."""
        return self._turns.count > self._turns.small

    def has_turn_of(self, entry: QueueEntry) -> bool:
        """Whether there are others of its login, client, sender and kind."""
        return self._turns.has(_path(entry))

    def has_client_of(self, entry: QueueEntry) -> bool:
        """Whether there are others of its login and client."""
        return self._turns.has((entry.login, entry.client))

    @property
    def count(self) -> int:
        """The number of submissions."""
        return self._turns.count
