"""The database's clock, which decides when mail is due.

    host:      now ───────────── not_before          (its wall clock may be an hour off, or jump)
                │                     │
    database:  now ───────────── not_before + difference

The relays' wall clocks may differ, so a wait is kept by the clock of the database. Between two
looks at it (`follow`) this clock goes on with the host's monotonic one, on which nobody sets the
time.

What is dated, such as when a message was accepted and when it was sent, decides turns and lifetimes
on any host. So a relay whose machine has another time than the database goes by the database's
altogether: it sets its `Clock` by it.
"""

from datetime import datetime, timedelta

from graphrelay.clock import TOLERANCE, Clock
from graphrelay.journal import Journal, events
from graphrelay.spool.codec import MICROSECOND, moment

NOW = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
"""SQL for the database's clock, in microseconds since 1970."""


class DatabaseClock:
    """Microseconds since 1970 by the database, and moments by the host's wall clock."""

    def __init__(self, clock: Clock, journal: Journal) -> None:
        self._clock = clock
        self._journal = journal
        self._base = 0

    def follow(self, now: int, asked_at: timedelta | None = None) -> None:
        """What the database says now. If it was asked at `asked_at` (monotonic), and this process
        stood still or waited for its turn before it saw the answer, that is old by now, and left
        aside."""
        if asked_at is not None and self._clock.monotonic() - asked_at >= TOLERANCE / 2:
            return
        self._base = now - self._clock.monotonic() // MICROSECOND
        ahead = self._clock.set(moment(now))
        if ahead is not None:
            self._journal.write(events.ClockSet(ahead=ahead))

    def now(self) -> int:
        return self._base + self._clock.monotonic() // MICROSECOND

    def theirs(self, ours: datetime) -> int:
        """A moment by the wall clock of this host, as the database keeps it."""
        return self.now() + (ours - self._clock.now()) // MICROSECOND

    def ours(self, theirs: int) -> datetime:
        """A moment by the database's clock, on this host's wall clock."""
        wait = timedelta(microseconds=theirs - self.now())
        earliest = moment(0)
        return max(self._clock.now() + wait, earliest)
