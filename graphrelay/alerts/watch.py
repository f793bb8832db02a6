"""When to tell whom what is wrong: a state machine without I/O, fed with what happens.

    unknown ──Wrong──▶ standing ──GATHER──▶ told ──repeat_after──▶ told again …
                          │                   │
                          └─────Right─────────┴──▶ away ──calm──▶ forgotten, with an all-clear
                                                    │             if it had been told
                                            Wrong ──┴──▶ back to where it was, without a word

One cause is told once, not once a message. Causes of a kind that come together are told together,
and after an alert the next of its kind waits for QUIET, to bring all that came meanwhile. A cause
that comes and goes needs to stay away twice as long with each return before it counts as over.

Times to decide by are monotonic (`now`); those for people (`at`) are of the wall clock.
"""

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from graphrelay.alerts.alert import Alert, Cause, Kind, State, in_words
from graphrelay.alerts.signals import Lost, Right, Signal, Wrong

GATHER = timedelta(seconds=10)
QUIET = timedelta(minutes=10)
CALM = timedelta(minutes=1)
HOUR = timedelta(hours=1)

ENDS_IN_SILENCE = {Kind.SPOOL: timedelta(minutes=15), Kind.CREDENTIAL: timedelta(hours=36)}
"""Nothing in the journal says that these are over: they are when they have not been heard of for
so long. Of a credential the journal speaks daily."""
OVER = {
    Kind.AUTHORIZATION: 'account "{}" has no trouble with its authorization any more',
    Kind.CREDENTIAL: 'the credential of account "{}" is not about to end any more',
    Kind.PAUSED: "the mail of {} is not paused any more",
    Kind.QUEUE: "nothing waits too long any more",
    Kind.DISK: "the spool's disk has room again",
    Kind.FAILURES: "messages do not fail at that rate any more",
    Kind.SPOOL: "no more trouble with the spool",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """What counts as wrong, and how often it is said."""

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
    """When the oldest that waits was received."""
    free: int
    """Octets left on the disk."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The spool could not be asked."""

    reason: str


@dataclass(slots=True)
class _Standing:
    """A cause that is known, told or not."""

    cause: Cause
    raised: timedelta
    heard: timedelta
    members: dict[str, None] = field(default_factory=dict)
    told: timedelta | None = None
    away: timedelta | None = None
    """Since when it is not there any more."""
    returns: int = 0


Key = tuple[Kind, str]


class Watch:
    """Knows what is wrong just now. Owned by one event loop."""

    def __init__(self, host: str, thresholds: Thresholds) -> None:
        self._host = host
        self.thresholds = thresholds
        self._standing: dict[Key, _Standing] = {}
        self._past: dict[Key, tuple[timedelta, int]] = {}
        """When a cause was over, and how often it had come back."""
        self._spoken: dict[tuple[Kind, State], timedelta] = {}
        self._minutes: deque[tuple[int, int]] = deque()
        """Failed messages by the minute of the last hour."""
        self._last_failure = ""

    # What happens -----------------------------------------------------------------------------

    def hear(self, signal: Signal, at: datetime, now: timedelta) -> None:
        """Something stood in the journal."""
        match signal:
            case Wrong():
                self._wrong(signal, at, now)
            case Right(kind, subject, member):
                self._right((kind, subject), member, now)
            case Lost(text):
                self._count_failure(text, now)

    def look(self, seen: Figures | Unreadable, at: datetime, now: timedelta) -> None:
        """The spool was asked how it is."""
        match seen:
            case Figures():
                self._right((Kind.SPOOL, ""), "asked", now)
                self._judge(Kind.QUEUE, self._old_mail(seen, at), at, now)
                self._judge(Kind.DISK, self._low_disk(seen), at, now)
            case Unreadable(reason):
                text = f"the spool does not answer: {reason}"
                self._wrong(Wrong(Kind.SPOOL, "", "asked", text), at, now)

    @property
    def cares_for_lanes(self) -> bool:
        """Whether `lanes` would change anything."""
        return any(kind in (Kind.AUTHORIZATION, Kind.PAUSED) for kind, _ in self._standing)

    def lanes(self, paused: Collection[str], accounts: Collection[str], now: timedelta) -> None:
        """Which lanes (`account/mailbox`) are paused, and which accounts there are: of one that
        went away without a word, such as with the last of its mail, nothing else would tell."""
        for (kind, subject), standing in list(self._standing.items()):
            if kind is Kind.PAUSED and subject not in paused:
                self._right((kind, subject), "", now)
            elif kind is Kind.AUTHORIZATION:
                for member in list(standing.members):
                    known = f"{subject}/{member}" in paused if member else subject in accounts
                    if not known:
                        self._right((kind, subject), member, now)

    # What to tell -----------------------------------------------------------------------------

    def due(self, at: datetime, now: timedelta) -> tuple[Alert, ...]:
        """What has to be told at this moment; it counts as told."""
        self._judge(Kind.FAILURES, self._many_failures(now), at, now)
        self._end_in_silence(now)
        self._forget_past(now)
        return tuple(self._alerts(at, now))

    @property
    def told(self) -> tuple[Cause, ...]:
        """What is wrong and has been told."""
        return tuple(
            standing.cause for standing in self._standing.values() if standing.told is not None
        )

    def _alerts(self, at: datetime, now: timedelta) -> Iterator[Alert]:
        groups: dict[tuple[Kind, State], list[_Standing]] = {}
        for key, standing in list(self._standing.items()):
            state = self._new(standing, now)
            if state is State.CLEARED and standing.told is None:
                self._forget(key, now)
            elif state is not None:
                groups.setdefault((standing.cause.kind, state), []).append(standing)
        for (kind, state), group in groups.items():
            spoken = self._spoken.get((kind, state))
            if spoken is not None and now - spoken < QUIET:
                continue
            self._spoken[kind, state] = now
            causes = tuple(self._tell(standing, state, at, now) for standing in group)
            yield Alert(at=at, host=self._host, state=state, kind=kind, causes=causes)

    def _new(self, standing: _Standing, now: timedelta) -> State | None:
        if standing.away is not None:
            return State.CLEARED if now - standing.away >= self._calm(standing) else None
        if standing.told is None:
            return State.RAISED if now - standing.raised >= GATHER else None
        return State.REPEATED if now - standing.told >= self.thresholds.repeat_after else None

    def _tell(self, standing: _Standing, state: State, at: datetime, now: timedelta) -> Cause:
        cause = standing.cause
        if state is not State.CLEARED:
            standing.told = now
            return cause
        self._forget((cause.kind, cause.subject), now)
        text = f"{OVER[cause.kind].format(cause.subject)}, after {in_words(at - cause.since)}"
        return replace(cause, text=text, remedy="")

    def _calm(self, standing: _Standing) -> timedelta:
        return min(CALM * (1 << min(standing.returns, 20)), self.thresholds.repeat_after)

    # What stands ------------------------------------------------------------------------------

    def _wrong(self, wrong: Wrong, at: datetime, now: timedelta) -> None:
        key = wrong.kind, wrong.subject
        standing = self._standing.get(key)
        if standing is None:
            cause = Cause(kind=wrong.kind, subject=wrong.subject, text="", since=at, count=0)
            standing = self._standing[key] = _Standing(cause, now, now)
            if key in self._past:
                standing.returns = self._past.pop(key)[1] + 1
        count = standing.cause.count + 1
        standing.cause = replace(standing.cause, text=wrong.text, remedy=wrong.remedy, count=count)
        if standing.away is not None:
            standing.away = None
            standing.returns += 1
        standing.heard = now
        standing.members[wrong.member] = None

    def _right(self, key: Key, member: str, now: timedelta) -> None:
        standing = self._standing.get(key)
        if standing is None or standing.away is not None:
            return
        standing.members.pop(member, None)
        if not standing.members:
            standing.away = now

    def _forget(self, key: Key, now: timedelta) -> None:
        self._past[key] = now, self._standing.pop(key).returns

    def _forget_past(self, now: timedelta) -> None:
        gone = [
            key
            for key, (over, _) in self._past.items()
            if now - over >= self.thresholds.repeat_after
        ]
        for key in gone:
            del self._past[key]

    def _end_in_silence(self, now: timedelta) -> None:
        for standing in self._standing.values():
            silence = ENDS_IN_SILENCE.get(standing.cause.kind)
            lasting = "asked" in standing.members  # that one is asked about, and would answer
            if (
                silence
                and not lasting
                and standing.away is None
                and now - standing.heard >= silence
            ):
                standing.members.clear()
                standing.away = now

    # What the figures say ---------------------------------------------------------------------

    def _judge(self, kind: Kind, text: str, at: datetime, now: timedelta) -> None:
        if text:
            self._wrong(Wrong(kind, "", "", text), at, now)
        else:
            self._right((kind, ""), "", now)

    def _old_mail(self, seen: Figures, at: datetime) -> str:
        age = at - seen.oldest if seen.oldest else timedelta(0)
        if age <= self.thresholds.queue_older_than:
            return ""
        return f"mail waits since {in_words(age)}; {seen.waiting} messages are in the queue"

    def _low_disk(self, seen: Figures) -> str:
        """Low below the threshold; enough again only at a fifth above it."""
        low = self.thresholds.disk_below
        standing = self._standing.get((Kind.DISK, ""))
        if seen.free >= (low * 6 // 5 if standing and standing.away is None else low):
            return ""
        return f"{seen.free // 1_000_000} MB are left on the spool's disk"

    def _count_failure(self, text: str, now: timedelta) -> None:
        minute = now // timedelta(minutes=1)
        count = self._minutes.pop()[1] if self._minutes and self._minutes[-1][0] == minute else 0
        self._minutes.append((minute, count + 1))
        self._last_failure = text

    def _many_failures(self, now: timedelta) -> str:
        """Too many from the threshold on; few again only below half of it."""
        while self._minutes and self._minutes[0][0] <= (now - HOUR) // timedelta(minutes=1):
            self._minutes.popleft()
        failed = sum(count for _, count in self._minutes)
        most = self.thresholds.failures_per_hour
        standing = self._standing.get((Kind.FAILURES, ""))
        if failed < ((most + 1) // 2 if standing and standing.away is None else most):
            return ""
        return f"{failed} messages failed within an hour; the last: {self._last_failure}"
