"""Jumps of the wall clock, by which the database keeps its times.

Between two looks the wall clock should have moved on as far as the monotonic one. Where it has not,
somebody has set it, or the machine has slept. Waits that were under way are then moved along, so
that mail waits neither for years nor for less than it should.
"""

from datetime import datetime, timedelta

from graphrelay.clock import Clock

TOLERANCE = timedelta(seconds=1)
"""What clocks drift apart, and NTP corrects by slewing."""


class WallClock:
    """Compares the two clocks since `follow` was called last."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.follow()

    def follow(self) -> None:
        """Take the wall clock as it is now."""
        self._wall, self._monotonic = self._clock.now(), self._clock.monotonic()

    def before_jump(self) -> datetime:
        """What the wall clock would say now if it had not jumped."""
        return self._wall + (self._clock.monotonic() - self._monotonic)

    def jump(self) -> timedelta | None:
        """How far it has jumped; `None` where it has not."""
        by = self._clock.now() - self.before_jump()
        return by if abs(by) > TOLERANCE else None
