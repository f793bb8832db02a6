"""Whether the disk has room for new mail. What is held back is for the mail that we own already:
without room for its outcomes, mail would be sent and not be known to have been.

The system is asked at most once a second while there is plenty, as that takes longer than all else
about a small message but its sync; and every time when there is not.
"""

from pathlib import Path

from graphrelay.clock import Clock
from graphrelay.model import StorageUnavailable
from graphrelay.spool.sqlite.files.disk import Disk

PLENTY = 4 << 30
"""Beyond what is held back: more than all programs of a machine write to a disk in a second."""
_LOOK_AGAIN = 1.0
"""Seconds."""


class Room:
    """The room on one disk. Asked by several threads; the worst is that two look at once."""

    def __init__(self, path: Path, disk: Disk, clock: Clock, reserve: int) -> None:
        self._path = path
        self._disk = disk
        self._clock = clock
        self._reserve = reserve
        self._enough_until: float | None = None

    def require(self) -> None:
        """Raises `StorageUnavailable` before the last octets are gone, and `OSError`."""
        now = self._clock.seconds()
        if self._enough_until is not None and now < self._enough_until:
            return
        free = self._disk.free(self._path)
        self._enough_until = now + _LOOK_AGAIN if free >= self._reserve + PLENTY else None
        if free < self._reserve:
            raise StorageUnavailable(
                f"The spool takes no new mail: {free >> 20} MB are left on the disk of"
                f" {self._path}, and the last {self._reserve >> 20} MB are kept for the mail that"
                " it has. Free some space there; the relay goes on by itself."
            )
