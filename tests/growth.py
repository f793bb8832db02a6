"""Whether the work of a reader grows faster than its text.

Texts are prefix + unit * count + suffix, of random tokens of the reader's grammar: only repetition
makes a reader scan the same octets again and again. Each is read at a size and at eight times that
size. Linear work grows by 8, quadratic by 64; half way between (on a logarithmic scale) is the
limit. The time is this thread's CPU time, the best of several readings, and counts only if it is
long enough to measure; a suspect is measured more often before it counts.
"""

import gc
import random
from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic, thread_time

from tests.readers import Reader

TIMES = 8
LIMIT = 22.6
"""8 * sqrt(8)."""
FLOOR = 0.02
"""Seconds of work below which growth says nothing."""
SIZES = (1 << 10, 1 << 13, 1 << 16)
LARGE = (*SIZES, 1 << 19)
"""Octets. A larger size is tried only where the one before was read fast."""
LARGE_EVERY = 8
"""Shapes, one of which is tried at the largest size too."""
_FAST = 0.1


@dataclass(frozen=True, slots=True)
class Shape:
    """Texts of any length."""

    prefix: bytes
    unit: bytes
    suffix: bytes

    def text(self, size: int) -> bytes:
        return self.prefix + self.unit * max(1, size // len(self.unit)) + self.suffix


@dataclass(frozen=True, slots=True)
class Superlinear:
    """A finding: `before` seconds for `size` octets, `after` for eight times as many."""

    reader: str
    shape: Shape
    size: int
    before: float
    after: float

    def __str__(self) -> str:
        return (
            f"{self.reader}: {self.before:.3f} s for {self.size} octets, {self.after:.3f} s for"
            f" {TIMES * self.size} of {self.shape}"
        )


def shapes(tokens: tuple[bytes, ...], seed: int) -> Iterator[Shape]:
    """Each token alone first; then random ones, the same for the same seed."""
    for token in tokens:
        yield Shape(b"", token, b"")
    dice = random.Random(seed)
    while True:
        prefix, unit, suffix = (
            b"".join(dice.choices(tokens, k=dice.randint(least, most)))
            for least, most in ((0, 3), (1, 3), (0, 2))
        )
        yield Shape(prefix, unit, suffix)


def growth(reader: Reader, shape: Shape, sizes: tuple[int, ...] = LARGE) -> Superlinear | None:
    """The problem with `reader`, if there is one."""
    before = seconds(reader, shape.text(sizes[0]), 1)
    for size in sizes[:-1]:
        after = seconds(reader, shape.text(TIMES * size), 1)
        if after > FLOOR and after > LIMIT * before:
            before = seconds(reader, shape.text(size), 7)
            after = seconds(reader, shape.text(TIMES * size), 3)
            if after > FLOOR and after > LIMIT * before:
                return Superlinear(str(reader), shape, size, before, after)
        if after > _FAST:
            return None
        before = after
    return None


def seconds(reader: Reader, text: bytes, readings: int) -> float:
    """Of this thread, for the best of several readings."""
    best = float("inf")
    gc.disable()
    try:
        for _ in range(readings):
            began = thread_time()
            reader.read(text)
            best = min(best, thread_time() - began)
    finally:
        gc.enable()
    return best


def search(reader: Reader, seconds: float, least: int, seed: int = 0) -> Superlinear | None:
    """Try at least `least` shapes, and more as long as there is time."""
    ends = monotonic() + seconds
    for number, shape in enumerate(shapes(reader.tokens, seed)):
        if number >= least and monotonic() > ends:
            return None
        if found := growth(reader, shape, SIZES if number % LARGE_EVERY else LARGE):
            return found
    return None
