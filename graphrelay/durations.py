"""How long something takes, as a histogram: counted where it happens, read when somebody asks.

Counting costs less than a microsecond, and may be done in any thread.
"""

import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Final

STORAGE: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds, for a disk or a database: a good one takes a millisecond."""


class Durations:
    """A histogram with these upper bounds, in seconds."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0
        self._lock = Lock()

    def add(self, seconds: float) -> None:
        """One more. A clock that was set back never makes a value negative."""
        seconds = max(0.0, seconds)
        place = bisect_left(self.bounds, seconds)
        with self._lock:
            self._counts[place] += 1
            self._total += seconds

    @contextmanager
    def measured(self) -> Iterator[None]:
        """How long the block takes in real time, unless it fails."""
        began = time.perf_counter()
        yield
        self.add(time.perf_counter() - began)

    def read(self) -> tuple[list[tuple[float, int]], float]:
        """Each upper bound (the last is infinite) with how many took no longer, and the sum."""
        with self._lock:
            counts, total = tuple(self._counts), self._total
        below, found = 0, list[tuple[float, int]]()
        for bound, count in zip((*self.bounds, float("inf")), counts, strict=True):
            below += count
            found.append((bound, below))
        return found, total
