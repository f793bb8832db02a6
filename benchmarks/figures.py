"""How figures are made: medians, and tables that people and programs can read."""

import statistics
import sys
import time
from collections.abc import Iterable


def median(values: Iterable[float]) -> float:
    return float(statistics.median(values))


def with_noise(values: Iterable[float], digits: int = 0) -> str:
    """The median, and the spread of the runs: half of the range between the smallest and the
    largest, in percent of the median. A smaller difference between two medians means nothing."""
    found = list(values)
    middle = median(found)
    noise = (max(found) - min(found)) / 2 / middle if middle else 0.0
    return f"{middle:.{digits}f} ± {noise:.0%}"


_BEGAN = time.perf_counter()


def progress(text: str) -> None:
    """What is measured next, on standard error, with the seconds since the start."""
    print(f"{time.perf_counter() - _BEGAN:6.1f} s  {text}", file=sys.stderr, flush=True)


def percentile(values: Iterable[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def head(*titles: str) -> None:
    """The first column is a name, the others are numbers."""
    row(*titles)
    print("| --- |" + " ---: |" * (len(titles) - 1), flush=True)


def row(*cells: object) -> None:
    print(f"| {' | '.join(map(str, cells))} |", flush=True)
