"""How the time of each reader of octets grows with the size of its input, for the worst input
found.

Each reader is given its own tokens, each repeated, and random repetitions of them, at 10 and 100
kB; the shapes that took longest, and the one that grew most, are read at 1,000 kB too. Ten times
the input takes ten times as long if the work is linear, and a hundred times as long if it is
quadratic; the shape that grew most is shown. Where a reader is bounded (64 KiB of a part's header
section) it is less than ten.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from benchmarks.figures import head, row
from tests.growth import Shape, seconds, shapes
from tests.readers import READERS, Reader

SIZES = (10_000, 100_000, 1_000_000)
SHAPES = 12
"""Besides the tokens of the grammar alone."""
FLOOR = 0.002
"""Seconds below which a ratio says nothing."""


WORST = 2


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds for the first two of `SIZES`."""

    shape: Shape
    took: tuple[float, float]

    @property
    def grew(self) -> float:
        return ratio(*self.took)


def ratio(before: float, after: float) -> float:
    """How much longer ten times the input takes; 0 if the time is too short to measure."""
    return after / max(before, 1e-9) if after > FLOOR else 0.0


def readers(runs: int) -> None:
    """Prints a line for each reader."""
    head("reader", "10 kB, ms", "100 kB, ms", "1,000 kB, ms", "10 to 100", "100 to 1,000")
    for reader in READERS:
        took = max(_worst(reader, runs), key=lambda times: ratio(*times[1:]))
        ratios = (ratio(*took[:2]), ratio(*took[1:]))
        row(reader, *(f"{one * 1_000:.2f}" for one in took), *(f"{one:.1f}" for one in ratios))


def _worst(reader: Reader, runs: int) -> Iterator[tuple[float, float, float]]:
    """What the worst shapes took, at each of `SIZES`."""
    small, middle, large = SIZES
    tried = [
        Measured(one, (_best(reader, one, small, runs), _best(reader, one, middle, runs)))
        for one in islice(shapes(reader.tokens, seed=0), len(reader.tokens) + SHAPES)
    ]
    slow = sorted(tried, key=lambda one: one.took[1])[-WORST:]
    for one in [*slow, max(tried, key=lambda one: one.grew)]:
        yield *one.took, _best(reader, one.shape, large, runs)


def _best(reader: Reader, shape: Shape, size: int, runs: int) -> float:
    return seconds(reader, shape.text(size), runs)
