"""A Watch whose clock a test moves, and the events for it."""

from datetime import UTC, datetime, timedelta

from graphrelay.alerts.alert import Alert, AlertKind, Cause, State
from graphrelay.alerts.signals import signals
from graphrelay.alerts.watch import Figures, SpoolUnreadable, Thresholds, Watch
from graphrelay.journal import events
from graphrelay.journal.event import Event
from graphrelay.model import Lane, Paused, Trouble

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
FINE = Figures(waiting=0, oldest=None, free=100_000_000_000)


def paused(
    mailbox: str = "wp@contoso.com", trouble: Trouble = Trouble.QUOTA, account: str = "website"
) -> Event:
    outcome = Paused(trouble=trouble, status="4.7.0", reason="Because.", remedy="Wait.")
    return events.Paused(Lane(account, mailbox), outcome, None)


def resumed(mailbox: str = "wp@contoso.com", account: str = "website") -> Event:
    return events.Resumed(Lane(account, mailbox), "It flows.")


def unauthorized(account: str = "website", reason: str = "The token was revoked.") -> Event:
    return events.AuthorizationRefused(
        account=account,
        error="invalid_grant",
        suberror=None,
        kind="expired",
        reason=reason,
        remedy=f"graphrelay authorize {account}",
    )


def an_alert(text: str, state: State = State.RAISED) -> Alert:
    cause = Cause(kind=AlertKind.PAUSED, subject="a/b", text=text, remedy="Wait.", since=NOON)
    return Alert(at=NOON, host="mail1", state=state, kind=AlertKind.PAUSED, causes=(cause,))


class Story:
    """Both clocks start and move together."""

    def __init__(self, **thresholds: object) -> None:
        self.watch = Watch("mail1", Thresholds(**thresholds))  # type: ignore[arg-type]
        self.passed = timedelta(0)

    @property
    def at(self) -> datetime:
        return NOON + self.passed

    def hear(self, *heard: Event) -> None:
        for event in heard:
            for signal in signals(event):
                self.watch.hear(signal, self.at, self.passed)

    def look(self, seen: Figures | SpoolUnreadable) -> None:
        self.watch.look(seen, self.at, self.passed)

    def after(self, **duration: float) -> list[Alert]:
        """The alerts that are due at the end of that time."""
        self.passed += timedelta(**duration)
        return list(self.watch.due(self.at, self.passed))

    def during(self, **duration: float) -> list[Alert]:
        """The alerts of all that time, looked at every five seconds."""
        end = self.passed + timedelta(**duration)
        alerts = []
        while self.passed < end:
            alerts += self.after(seconds=5)
        return alerts
