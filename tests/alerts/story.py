"""A Watch that a test leads through time, and the entries of a journal."""

from datetime import UTC, datetime, timedelta

from graphrelay.alerts.alert import Alert, Cause, Kind, State
from graphrelay.alerts.signals import signals
from graphrelay.alerts.watch import Figures, Thresholds, Unreadable, Watch
from graphrelay.journal import Entry, Level, Value

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
FINE = Figures(waiting=0, oldest=None, free=100_000_000_000)


def entry(event: str, level: Level = "error", **fields: Value) -> Entry:
    return Entry(NOON, level, event, "", fields)


def paused(
    mailbox: str = "wp@contoso.com", trouble: str = "quota", account: str = "website"
) -> Entry:
    return entry(
        "paused",
        account=account,
        mailbox=mailbox,
        trouble=trouble,
        reason="Because.",
        remedy="Wait.",
    )


def resumed(mailbox: str = "wp@contoso.com", account: str = "website") -> Entry:
    return entry("resumed", account=account, mailbox=mailbox, reason="It flows.")


def unauthorized(account: str = "website", reason: str = "The token was revoked.") -> Entry:
    return entry(
        "authorization-refused",
        account=account,
        reason=reason,
        remedy=f"graphrelay authorize {account}",
    )


def an_alert(text: str, state: State = State.RAISED) -> Alert:
    cause = Cause(kind=Kind.PAUSED, subject="a/b", text=text, remedy="Wait.", since=NOON)
    return Alert(at=NOON, host="mail1", state=state, kind=Kind.PAUSED, causes=(cause,))


class Story:
    """Both clocks start together and go on together."""

    def __init__(self, **thresholds: object) -> None:
        self.watch = Watch("mail1", Thresholds(**thresholds))  # type: ignore[arg-type]
        self.passed = timedelta(0)

    @property
    def at(self) -> datetime:
        return NOON + self.passed

    def hear(self, *entries: Entry) -> None:
        for one in entries:
            for signal in signals(one):
                self.watch.hear(signal, self.at, self.passed)

    def look(self, seen: Figures | Unreadable) -> None:
        self.watch.look(seen, self.at, self.passed)

    def after(self, **duration: float) -> list[Alert]:
        """What is told at the end of that time."""
        self.passed += timedelta(**duration)
        return list(self.watch.due(self.at, self.passed))

    def during(self, **duration: float) -> list[Alert]:
        """What is told in all that time, looked at every five seconds."""
        end = self.passed + timedelta(**duration)
        told = []
        while self.passed < end:
            told += self.after(seconds=5)
        return told
