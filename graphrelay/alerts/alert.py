"""Alerts: causes of one kind, in one message to people.

Every text from elsewhere (an error of Microsoft's, a name in the configuration) is one line of
printable characters of bounded length (`one_line`) before it gets in here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

LONGEST = 300
"""Characters of one text from elsewhere."""
WRITTEN_OUT = 5
"""Causes of one alert that are written out; of the others it gives the number."""


class AlertKind(StrEnum):
    """What can be wrong."""

    AUTHORIZATION = "authorization"
    CREDENTIAL = "credential"
    PAUSED = "paused"
    QUEUE = "queue"
    DISK = "disk"
    FAILURES = "failures"
    SPOOL = "spool"
    TEST = "test"


COMMON = frozenset(
    {
        AlertKind.AUTHORIZATION,
        AlertKind.CREDENTIAL,
        AlertKind.PAUSED,
        AlertKind.QUEUE,
        AlertKind.FAILURES,
    }
)
"""What relays that share a queue have in common; the others are about a host."""


class State(StrEnum):
    """What is new about a cause."""

    RAISED = "raised"
    REPEATED = "repeated"
    CLEARED = "cleared"
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One thing that is wrong, or was."""

    kind: AlertKind
    subject: str
    """The account, the lane, or empty where there is only one: the queue, the disk."""
    text: str
    """What is wrong, or that it is over, as a clause."""
    remedy: str = ""
    """What a person can do, as a sentence."""
    since: datetime
    count: int = 1
    """How often it was reported or seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One message to people: causes of one kind that have come to the same state."""

    at: datetime
    host: str
    """The machine's name."""
    state: State
    kind: AlertKind
    causes: tuple[Cause, ...]

    @property
    def sentence(self) -> str:
        """All of it on one line."""
        clauses = [_clause(cause, self.state) for cause in self.causes[:WRITTEN_OUT]]
        more = len(self.causes) - WRITTEN_OUT
        clauses += [f"and {more} more of this kind"] if more > 0 else []
        remedies = dict.fromkeys(cause.remedy for cause in self.causes[:WRITTEN_OUT])
        advice = " ".join(remedy for remedy in remedies if remedy)
        text = f"{_OPENING[self.state]}{'; '.join(clauses)}. {advice}"
        return f"graphrelay on {self.host}: {text}".rstrip()

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
    cause = Cause(kind=AlertKind.TEST, subject="", text=text, since=at)
    return Alert(at=at, host=host, state=State.TEST, kind=AlertKind.TEST, causes=(cause,))


def in_words(duration: timedelta) -> str:
    """`3 days 4 hours`, `1 hour 5 minutes`, `40 seconds`: the two largest units."""
    left = max(0, round(duration.total_seconds()))
    words = []
    for unit, seconds in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, left = divmod(left, seconds)
        if count:
            words.append(f"{count} {unit}" + ("s" if count > 1 else ""))
    return " ".join(words[:2]) or "0 seconds"


def subjects(causes: Iterable[Cause]) -> str:
    """Their kinds and subjects alone, for a status line."""
    named: dict[AlertKind, list[str]] = {}
    for cause in causes:
        named.setdefault(cause.kind, []).append(cause.subject)
    return "; ".join(
        f"{kind.value} {', '.join(filter(None, names[:3]))}".rstrip()
        + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        for kind, names in named.items()
    )


def _clause(cause: Cause, state: State) -> str:
    if state is State.REPEATED:
        return f"{cause.text} (since {_iso(cause.since)})"
    return cause.text


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
