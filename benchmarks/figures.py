"""How figures are made: medians, and tables that people and programs can read."""

import statistics
from collections.abc import Iterable


def median(values: Iterable[float]) -> float:
    return float(statistics.median(values))


def percentile(values: Iterable[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def head(*titles: str) -> None:
    """The first column is a name, the others are numbers."""
    row(*titles)
    print("| --- |" + " ---: |" * (len(titles) - 1), flush=True)


def row(*cells: object) -> None:
    print(f"| {' | '.join(map(str, cells))} |", flush=True)
