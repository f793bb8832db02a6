"""Whether the disk has space for new mail. Some space is reserved for mail that was accepted
before: without space to record its outcome, mail would be sent and then appear not to have been.

The system is asked at most once a second while there is plenty, because asking takes longer than
everything else about a small message except its sync; and every time when there is not.
"""

from pathlib import Path

from graphrelay.clock import Clock
from graphrelay.model import StorageUnavailable
from graphrelay.spool.sqlite.files.disk import Disk

PLENTY = 4 << 30
"""Beyond what is reserved: more than all programs of a machine write to a disk in a second."""
_LOOK_AGAIN = 1.0
"""Seconds."""


class Room:
    """The free space on one disk. Used by several threads; at worst, two ask the system at once."""

    def __init__(self, path: Path, disk: Disk, clock: Clock, reserve: int) -> None:
        self._path = path
        self._disk = disk
        self._clock = clock
        self._reserve = reserve
        self._enough_until: float | None = None

    def require(self) -> None:
        """Raises `StorageUnavailable` before the disk is full, and `OSError`."""
        now = self._clock.seconds()
        if self._enough_until is not None and now < self._enough_until:
            return
        free = self._disk.free(self._path)
        self._enough_until = now + _LOOK_AGAIN if free >= self._reserve + PLENTY else None
        if free < self._reserve:
            raise StorageUnavailable(
                f"The spool accepts no new mail: {free >> 20} MB are free on the disk of"
                f" {self._path}, and {self._reserve >> 20} MB are reserved for mail that was"
                " accepted before. Free some space there; the relay resumes by itself."
            )
