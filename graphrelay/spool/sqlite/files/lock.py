"""One process owns a spool: the lock that says so.

`flock` on a file in the spool's directory. The kernel gives it up when the process dies, however
it dies, so a lock file that was left behind never stands in the way. The pid in it is for people.

The reason is not only order: SQLite before 3.51.3 (and 3.50.7, 3.44.6) can lose committed rows
when two connections write or checkpoint at the same moment (the WAL-reset bug).
"""

import fcntl
import os
from pathlib import Path

from graphrelay.spool.errors import SpoolInUse


class Lock:
    """Held from `take` to `give_back`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, directory: Path) -> "Lock":
        """Raises `SpoolInUse`, naming the owner."""
        descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            owner = os.pread(descriptor, 20, 0).strip()
            os.close(descriptor)
            raise SpoolInUse(directory, int(owner) if owner.isdigit() else None) from None
        except BaseException:
            os.close(descriptor)
            raise
        return cls(descriptor)

    def give_back(self) -> None:
        os.close(self._descriptor)
