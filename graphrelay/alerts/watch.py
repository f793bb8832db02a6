"""When to alert people: a state machine without I/O, fed with what happens.

    unknown ──Raised──▶ incident ──GATHER──▶ reported ──repeat_after──▶ reported again …
                           │                    │
                           └──────Cleared───────┴──▶ away ──calm──▶ forgotten, with an all-clear
                                                      │             if it had been reported
                                              Raised ─┴──▶ back to where it was, without an alert

One cause is reported once, not once a message. Causes of a kind that arise together are reported
together, and after an alert the next of its kind waits for QUIET, to report all that arose
meanwhile. A cause that comes and goes has to stay away twice as long after each return before it
counts as over.

Times to decide by are monotonic (`now`); those for people (`at`) are of the wall clock.
"""

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from graphrelay.alerts.alert import Alert, AlertKind, Cause, State, in_words
from graphrelay.alerts.signals import Cleared, MessageFailed, Raised, Signal

GATHER = timedelta(seconds=10)
QUIET = timedelta(minutes=10)
CALM = timedelta(minutes=1)
HOUR = timedelta(hours=1)

ENDS_IN_SILENCE = {
    AlertKind.SPOOL: timedelta(minutes=15),
    AlertKind.CREDENTIAL: timedelta(hours=36),
}
"""No event says that these are over: they are when nothing has been heard of them for so long. A
credential that ends is in the journal every day."""
OVER = {
    AlertKind.AUTHORIZATION: 'the trouble with the authorization of account "{}" is over',
    AlertKind.CREDENTIAL: 'the credential of account "{}" is no longer about to expire',
    AlertKind.PAUSED: "the mail of {} is no longer paused",
    AlertKind.QUEUE: "no message has been waiting too long any more",
    AlertKind.DISK: "the spool's disk has free space again",
    AlertKind.FAILURES: "messages no longer fail at that rate",
    AlertKind.SPOOL: "the spool works again",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """What counts as wrong, and how often it is reported."""

    queue_older_than: timedelta = timedelta(hours=1)
    disk_below: int = 500_000_000
    """Octets."""
    failures_per_hour: int = 20
    repeat_after: timedelta = timedelta(hours=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The spool at a glance."""

    waiting: int
    oldest: datetime | None
    """When the oldest waiting message was received."""
    free: int | None
    """Octets left on the disk."""


@dataclass(frozen=True, slots=True)
class SpoolUnreadable:
    """The spool did not answer."""

    reason: str


@dataclass(slots=True)
class Incident:
    """A cause that is known, reported or not."""

    cause: Cause
    raised: timedelta
    heard: timedelta
    members: dict[str, None] = field(default_factory=dict)
    reported: timedelta | None = None
    """When it last was in an alert."""
    away: timedelta | None = None
    """Since when it is no longer there."""
    returns: int = 0


Key = tuple[AlertKind, str]


class Watch:
    """Knows what is wrong at present. Owned by one event loop."""

    def __init__(self, host: str, thresholds: Thresholds) -> None:
        self._host = host
        self.thresholds = thresholds
        self._incidents: dict[Key, Incident] = {}
        self._past: dict[Key, tuple[timedelta, int]] = {}
        """When a cause was over, and how often it had returned."""
        self._alerted: dict[tuple[AlertKind, State], timedelta] = {}
        self._minutes: deque[tuple[int, int]] = deque()
        """Failed messages in each minute of the last hour."""
        self._last_failure = ""

    # What happens -----------------------------------------------------------------------------

    def hear(self, signal: Signal, at: datetime, now: timedelta) -> None:
        """An event means something."""
        match signal:
            case Raised():
                self._raise(signal, at, now)
            case Cleared(kind, subject, member):
                self._clear((kind, subject), member, now)
            case MessageFailed(text):
                self._count_failure(text, now)

    def look(self, seen: Figures | SpoolUnreadable, at: datetime, now: timedelta) -> None:
        """The spool was asked for its figures."""
        match seen:
            case Figures():
                self._clear((AlertKind.SPOOL, ""), "asked", now)
                self._judge(AlertKind.QUEUE, self._old_mail(seen, at), at, now)
                self._judge(AlertKind.DISK, self._low_disk(seen), at, now)
            case SpoolUnreadable(reason):
                text = f"the spool does not answer: {reason}"
                self._raise(Raised(AlertKind.SPOOL, "", "asked", text), at, now)

    @property
    def cares_for_lanes(self) -> bool:
        """Whether `lanes` would change anything."""
        return any(
            kind in (AlertKind.AUTHORIZATION, AlertKind.PAUSED) for kind, _ in self._incidents
        )

    def lanes(self, paused: Collection[str], accounts: Collection[str], now: timedelta) -> None:
        """Which lanes (`account/mailbox`) are paused, and which accounts there are. A lane that
        disappears, such as with the last of its mail, leaves no event behind."""
        for (kind, subject), incident in list(self._incidents.items()):
            if kind is AlertKind.PAUSED and subject not in paused:
                self._clear((kind, subject), "", now)
            elif kind is AlertKind.AUTHORIZATION:
                for member in list(incident.members):
                    known = f"{subject}/{member}" in paused if member else subject in accounts
                    if not known:
                        self._clear((kind, subject), member, now)

    # What to report ---------------------------------------------------------------------------

    def due(self, at: datetime, now: timedelta) -> tuple[Alert, ...]:
        """The alerts that are due; what is in them counts as reported."""
        self._judge(AlertKind.FAILURES, self._many_failures(now), at, now)
        self._end_in_silence(now)
        self._forget_past(now)
        return tuple(self._alerts(at, now))

    @property
    def reported(self) -> tuple[Cause, ...]:
        """What is wrong and has been reported."""
        return tuple(
            incident.cause for incident in self._incidents.values() if incident.reported is not None
        )

    def _alerts(self, at: datetime, now: timedelta) -> Iterator[Alert]:
        groups: dict[tuple[AlertKind, State], list[Incident]] = {}
        for key, incident in list(self._incidents.items()):
            state = self._new(incident, now)
            if state is State.CLEARED and incident.reported is None:
                self._forget(key, now)
            elif state is not None:
                groups.setdefault((incident.cause.kind, state), []).append(incident)
        for (kind, state), group in groups.items():
            alerted = self._alerted.get((kind, state))
            if alerted is not None and now - alerted < QUIET:
                continue
            self._alerted[kind, state] = now
            causes = tuple(self._report(incident, state, at, now) for incident in group)
            yield Alert(at=at, host=self._host, state=state, kind=kind, causes=causes)

    def _new(self, incident: Incident, now: timedelta) -> State | None:
        if incident.away is not None:
            return State.CLEARED if now - incident.away >= self._calm(incident) else None
        if incident.reported is None:
            return State.RAISED if now - incident.raised >= GATHER else None
        return State.REPEATED if now - incident.reported >= self.thresholds.repeat_after else None

    def _report(self, incident: Incident, state: State, at: datetime, now: timedelta) -> Cause:
        cause = incident.cause
        if state is not State.CLEARED:
            incident.reported = now
            return cause
        self._forget((cause.kind, cause.subject), now)
        text = f"{OVER[cause.kind].format(cause.subject)}, after {in_words(at - cause.since)}"
        return replace(cause, text=text, remedy="")

    def _calm(self, incident: Incident) -> timedelta:
        return min(CALM * (1 << min(incident.returns, 20)), self.thresholds.repeat_after)

    # Incidents ---------------------------------------------------------------------------------

    def _raise(self, raised: Raised, at: datetime, now: timedelta) -> None:
        key = raised.kind, raised.subject
        incident = self._incidents.get(key)
        if incident is None:
            cause = Cause(kind=raised.kind, subject=raised.subject, text="", since=at, count=0)
            incident = self._incidents[key] = Incident(cause, now, now)
            if key in self._past:
                incident.returns = self._past.pop(key)[1] + 1
        count = incident.cause.count + 1
        incident.cause = replace(
            incident.cause, text=raised.text, remedy=raised.remedy, count=count
        )
        if incident.away is not None:
            incident.away = None
            incident.returns += 1
        incident.heard = now
        incident.members[raised.member] = None

    def _clear(self, key: Key, member: str, now: timedelta) -> None:
        incident = self._incidents.get(key)
        if incident is None or incident.away is not None:
            return
        incident.members.pop(member, None)
        if not incident.members:
            incident.away = now

    def _forget(self, key: Key, now: timedelta) -> None:
        self._past[key] = now, self._incidents.pop(key).returns

    def _forget_past(self, now: timedelta) -> None:
        gone = [
            key
            for key, (over, _) in self._past.items()
            if now - over >= self.thresholds.repeat_after
        ]
        for key in gone:
            del self._past[key]

    def _end_in_silence(self, now: timedelta) -> None:
        for incident in self._incidents.values():
            silence = ENDS_IN_SILENCE.get(incident.cause.kind)
            lasting = "asked" in incident.members  # `look` clears that one
            if (
                silence
                and not lasting
                and incident.away is None
                and now - incident.heard >= silence
            ):
                incident.members.clear()
                incident.away = now

    # What the figures say ---------------------------------------------------------------------

    def _judge(self, kind: AlertKind, text: str, at: datetime, now: timedelta) -> None:
        if text:
            self._raise(Raised(kind, "", "", text), at, now)
        else:
            self._clear((kind, ""), "", now)

    def _old_mail(self, seen: Figures, at: datetime) -> str:
        age = at - seen.oldest if seen.oldest else timedelta(0)
        if age <= self.thresholds.queue_older_than:
            return ""
        return (
            f"the oldest message has been waiting for {in_words(age)}; "
            f"{seen.waiting} are in the queue"
        )

    def _low_disk(self, seen: Figures) -> str:
        """Low below the threshold; enough again from a fifth above it on."""
        if seen.free is None:
            return ""
        low = self.thresholds.disk_below
        incident = self._incidents.get((AlertKind.DISK, ""))
        if seen.free >= (low * 6 // 5 if incident and incident.away is None else low):
            return ""
        return f"{seen.free // 1_000_000} MB are left on the spool's disk"

    def _count_failure(self, text: str, now: timedelta) -> None:
        minute = now // timedelta(minutes=1)
        count = self._minutes.pop()[1] if self._minutes and self._minutes[-1][0] == minute else 0
        self._minutes.append((minute, count + 1))
        self._last_failure = text

    def _many_failures(self, now: timedelta) -> str:
        """Too many from the threshold on; few again below half of it."""
        while self._minutes and self._minutes[0][0] <= (now - HOUR) // timedelta(minutes=1):
            self._minutes.popleft()
        failed = sum(count for _, count in self._minutes)
        most = self.thresholds.failures_per_hour
        incident = self._incidents.get((AlertKind.FAILURES, ""))
        if failed < ((most + 1) // 2 if incident and incident.away is None else most):
            return ""
        return f"{failed} messages failed within an hour; the last: {self._last_failure}"
