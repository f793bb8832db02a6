"""How long the readers of octets are tried: once by default, for a minute each in continuous
integration, and otherwise for `GRAPHRELAY_FUZZ_SECONDS`.

Rounds are numbered, and the number is the seed: what was found once is found again, and a longer
run begins with the rounds of a shorter one.
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
    """Run the `@given` test: once, or repeatedly as long as there is time."""
    ends = monotonic() + (_seconds() if seconds is None else seconds)
    rounds = 0
    while rounds == 0 or monotonic() < ends:
        rounds += 1
        hypothesis.seed(rounds)(given)()
