"""How long the readers of octets are tried: once at a desk, for a minute each in continuous
integration, and for as long as `GRAPHRELAY_FUZZ_SECONDS` says where somebody wants to know.

Rounds are numbered, and each has its number for a seed: what was found once is found again, and a
longer run begins with what a shorter one tries.
"""

import os
from collections.abc import Callable
from time import monotonic

import hypothesis
import pytest


def _seconds() -> float:
    told = os.environ.get("GRAPHRELAY_FUZZ_SECONDS")
    return float(told or (60 if os.environ.get("CI") == "true" else 0))


unhurried = pytest.mark.timeout(_seconds() + 240)
"""For a test that calls `fuzz`."""


def fuzz(given: Callable[[], None], seconds: float | None = None) -> None:
    """Try what `@given` made: once, or again and again as long as there is time."""
    ends = monotonic() + (_seconds() if seconds is None else seconds)
    rounds = 0
    while rounds == 0 or monotonic() < ends:
        rounds += 1
        hypothesis.seed(rounds)(given)()
