"""What may go now, and whose turn it is.

    logins take turns ─▶ clients of a login ─▶ senders of a client ─▶ small and large ─▶ the oldest

So an alarm does not wait behind fifty thousand newsletters that came before it. The sender is the
one in From: many programs of one machine share its address, and a mailing may give each message a
reverse path of its own (VERP), while its From stays. A client may choose even that, but neither its
login nor its address. Large messages take turns of their own, and leave room for small ones:
`small_only` passes them over.
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
    """Those of one level who take turns; each has others below it, and the last have a heap."""

    __slots__ = ("below", "count", "small")

    def __init__(self) -> None:
        self.below: OrderedDict[Hashable, _Turns | _Heap] = OrderedDict()
        self.count = 0
        """Messages below, and of these the small ones."""
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
        """Whether anything stands below `path`, which may end above the last level."""
        first, *others = path
        below = self.below.get(first)
        if isinstance(below, _Turns) and others:
            return below.has(tuple(others))
        return below is not None

    def first(self, *, small_only: bool) -> int | None:
        found = self._next(small_only)
        if found is None:
            return None
        below = self.below[found]
        return below.first(small_only=small_only) if isinstance(below, _Turns) else below[0][1]

    def pop(self, *, small_only: bool) -> int:
        """Where `first` finds something; whose turn it was is the last then."""
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
    """Submission ids, each of which may stand here more than once; the caller knows which count."""

    def __init__(self) -> None:
        self._turns = _Turns()

    def push(self, entry: QueueEntry) -> None:
        self._turns.push(_path(entry), (entry.received_at, entry.submission_id))

    def pop(self, *, small_only: bool = False) -> int | None:
        """The next in turn."""
        if not self.has(small_only=small_only):
            return None
        return self._turns.pop(small_only=small_only)

    def first(self, *, small_only: bool = False) -> int | None:
        """What `pop` would give, and leave it there."""
        return self._turns.first(small_only=small_only)

    def has(self, *, small_only: bool = False) -> bool:
        """Whether `pop` would find something."""
        return bool(self._turns.small if small_only else self._turns.below)

    def has_large(self) -> bool:
        """Whether `pop` would find a large message before long."""
        return self._turns.count > self._turns.small

    def has_turn_of(self, entry: QueueEntry) -> bool:
        """Whether others of its login, client, sender and kind stand here."""
        return self._turns.has(_path(entry))

    def has_client_of(self, entry: QueueEntry) -> bool:
        """Whether others of its login and client stand here."""
        return self._turns.has((entry.login, entry.client))

    @property
    def count(self) -> int:
        """How many submissions stand here."""
        return self._turns.count
