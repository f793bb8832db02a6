"""What a check found: as assumed, different, or not known."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AsAssumed:
    """What was seen is what the relay assumes."""

    seen: str


@dataclass(frozen=True, slots=True)
class Different:
    """Something else was seen."""

    seen: str


@dataclass(frozen=True, slots=True)
class NotKnown:
    """Nothing was seen that answers the question; `seen` says why."""

    seen: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The check did not run; `seen` says why."""

    seen: str


Finding = AsAssumed | Different | NotKnown | LeftOut

VERDICTS: dict[type[Finding], str] = {
    AsAssumed: "fine",
    Different: "different",
    NotKnown: "not known",
    LeftOut: "left out",
}


def judged(as_assumed: bool, seen: str) -> AsAssumed | Different:
    """The verdict on what was seen."""
    return AsAssumed(seen) if as_assumed else Different(seen)
