"""What may go now, and whose turn it is.

Within one sender the oldest goes first. Senders take turns, so that an alarm does not wait behind
fifty thousand newsletters that came before it. Large messages take turns of their own, and leave
room for small ones: `small_only` passes them over.
"""

import heapq
from collections import OrderedDict
from datetime import datetime

from graphrelay.model import Waiting

LARGE = 1024 * 1024
"""From this size on a message may keep its connection busy for a while."""

_Turn = tuple[str, bool]


def is_large(waiting: Waiting) -> bool:
    return waiting.size >= LARGE


class Due:
    """Submission ids, each of which may stand here more than once; the caller knows which count."""

    def __init__(self) -> None:
        self._heaps: OrderedDict[_Turn, list[tuple[datetime, int]]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._heaps)

    def push(self, waiting: Waiting) -> None:
        turn = (waiting.sender, is_large(waiting))
        heap = self._heaps.get(turn)
        if heap is None:
            heap = self._heaps[turn] = []
        heapq.heappush(heap, (waiting.received_at, waiting.submission_id))

    def pop(self, *, small_only: bool = False) -> int | None:
        """The next in turn."""
        turn = self._turn(small_only)
        if turn is None:
            return None
        heap = self._heaps[turn]
        _, submission_id = heapq.heappop(heap)
        if heap:
            self._heaps.move_to_end(turn)
        else:
            del self._heaps[turn]
        return submission_id

    def first(self, *, small_only: bool = False) -> int | None:
        """What `pop` would give, and leave it there."""
        turn = self._turn(small_only)
        return None if turn is None else self._heaps[turn][0][1]

    def has(self, *, small_only: bool = False) -> bool:
        """Whether `pop` would find something."""
        return self._turn(small_only) is not None

    def _turn(self, small_only: bool) -> _Turn | None:
        return next((turn for turn in self._heaps if not (small_only and turn[1])), None)
