"""What is told: causes, grouped by their kind.

Every text that came from elsewhere (an error of Microsoft's, a name in the configuration) is one
line of printable characters of bounded length before it gets in here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

LONGEST = 300
"""Characters of one text from elsewhere."""
SPELLED_OUT = 5
"""Causes of one alert that are told in full; of the others there is the number."""


class Kind(StrEnum):
    """What can be wrong."""

    AUTHORIZATION = "authorization"
    CREDENTIAL = "credential"
    PAUSED = "paused"
    QUEUE = "queue"
    DISK = "disk"
    FAILURES = "failures"
    SPOOL = "spool"
    TEST = "test"


class State(StrEnum):
    """What is new about it."""

    RAISED = "raised"
    REPEATED = "repeated"
    CLEARED = "cleared"
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One thing that is wrong, or was."""

    kind: Kind
    subject: str
    """The account, the lane, or empty where there is only one: the queue, the disk."""
    text: str
    """What is wrong, or that it is over, as a clause."""
    remedy: str = ""
    """What a person can do, as a sentence."""
    since: datetime
    count: int = 1
    """How often it has been heard of, or seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One message to people: causes of one kind of which the same is new."""

    at: datetime
    host: str
    """The machine's name."""
    state: State
    kind: Kind
    causes: tuple[Cause, ...]

    @property
    def sentence(self) -> str:
        """All of it on one line."""
        told = [_told(cause, self.state) for cause in self.causes[:SPELLED_OUT]]
        more = len(self.causes) - SPELLED_OUT
        told += [f"and {more} more of the kind"] if more > 0 else []
        remedies = dict.fromkeys(cause.remedy for cause in self.causes[:SPELLED_OUT])
        advice = " ".join(remedy for remedy in remedies if remedy)
        return (
            f"graphrelay on {self.host}: {_OPENING[self.state]}{'; '.join(told)}. {advice}".rstrip()
        )

    @property
    def plain(self) -> dict[str, Any]:
        """For programs. The keys may be added to, never renamed."""
        return {
            "program": "graphrelay",
            "host": self.host,
            "at": _iso(self.at),
            "state": self.state.value,
            "kind": self.kind.value,
            "text": self.sentence,
            "causes": [
                {
                    "subject": cause.subject,
                    "text": cause.text,
                    "remedy": cause.remedy,
                    "since": _iso(cause.since),
                    "count": cause.count,
                }
                for cause in self.causes
            ],
        }


_OPENING = {
    State.RAISED: "",
    State.REPEATED: "still: ",
    State.CLEARED: "all clear: ",
    State.TEST: "",
}


def trial(host: str, at: datetime) -> Alert:
    """What `graphrelay alert-test` sends."""
    text = "this is a test of the alerts, nothing is wrong"
    cause = Cause(kind=Kind.TEST, subject="", text=text, since=at)
    return Alert(at=at, host=host, state=State.TEST, kind=Kind.TEST, causes=(cause,))


def clean(text: object, longest: int = LONGEST) -> str:
    """One line of printable characters: no line ends, no escapes, nothing that turns the writing
    direction or hides letters."""
    shown = "".join(letter if letter.isprintable() else " " for letter in str(text))
    shown = " ".join(shown.split())
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


def in_words(duration: timedelta) -> str:
    """`3 d 4 h`, `2 h 5 min`, `40 s`: the two largest units."""
    left = max(0, round(duration.total_seconds()))
    words = []
    for unit, seconds in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        if left >= seconds:
            words.append(f"{left // seconds} {unit}")
            left %= seconds
    return " ".join(words[:2]) or "0 s"


def subjects(causes: Iterable[Cause]) -> str:
    """Their kind and subjects alone, for a line with little room."""
    named: dict[Kind, list[str]] = {}
    for cause in causes:
        named.setdefault(cause.kind, []).append(cause.subject)
    return "; ".join(
        f"{kind.value} {', '.join(filter(None, names[:3]))}".rstrip()
        + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        for kind, names in named.items()
    )


def _told(cause: Cause, state: State) -> str:
    if state is State.REPEATED:
        return f"{cause.text} (since {_iso(cause.since)})"
    return cause.text


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
