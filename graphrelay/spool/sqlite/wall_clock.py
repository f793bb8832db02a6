"""Detects jumps of the wall clock, which the times in the database are based on.

Between two checks the wall clock should have advanced as far as the monotonic one. If it has not,
it was set, or the machine was suspended. Pending waits are then shifted, so that mail waits neither
for years nor less than it should.
"""

from datetime import datetime, timedelta

from graphrelay.clock import Clock

TOLERANCE = timedelta(seconds=1)
"""Tolerates drift between the clocks, and corrections by NTP that slew the clock."""


class WallClock:
    """Compares the two clocks since `follow` was called last."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.follow()

    def follow(self) -> None:
        """Accept the wall clock's present time."""
        self._wall, self._monotonic = self._clock.now(), self._clock.monotonic()

    def before_jump(self) -> datetime:
        """The time that the wall clock would show now if it had not jumped."""
        return self._wall + (self._clock.monotonic() - self._monotonic)

    def jump(self) -> timedelta | None:
        """How far it has jumped; `None` if it has not."""
        by = self._clock.now() - self.before_jump()
        return by if abs(by) > TOLERANCE else None
