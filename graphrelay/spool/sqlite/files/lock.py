"""The lock by which one process owns a spool.

`flock` on a file in the spool's directory. The kernel releases it when the process dies, however it
dies, so a lock file that was left behind does no harm. The pid in it is for administrators.

A daemon that starts waits some seconds for a command that is using the spool, and meanwhile holds a
second lock, which makes other commands give way to it.

The lock also protects the data: SQLite before 3.51.3 (and 3.50.7, 3.44.6) can lose committed rows
when two connections write or checkpoint at the same moment (the WAL-reset bug).
"""

import fcntl
import os
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from graphrelay.spool.errors import SpoolInUse

_NEXT = "lock.next"
_LOOK_AGAIN = 0.02  # seconds


class Lock:
    """Held between `take` and `give_back`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, directory: Path, patience: timedelta = timedelta(0)) -> "Lock":
        """Raises `SpoolInUse`, naming the owner. Blocks for up to `patience`; if that is zero, it
        gives way to processes that wait."""
        if not patience:
            _give_way(directory)
            return cls._take(directory)
        next_one = os.open(directory / _NEXT, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            with suppress(BlockingIOError):  # another daemon waits already
                fcntl.flock(next_one, fcntl.LOCK_EX | fcntl.LOCK_NB)
            until = time.monotonic() + patience.total_seconds()
            while True:
                try:
                    return cls._take(directory)
                except SpoolInUse:
                    if time.monotonic() >= until:
                        raise
                time.sleep(_LOOK_AGAIN)
        finally:
            os.close(next_one)

    @classmethod
    def _take(cls, directory: Path) -> "Lock":
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


def _give_way(directory: Path) -> None:
    """Raises `SpoolInUse` while a daemon waits for the lock."""
    try:
        descriptor = os.open(directory / _NEXT, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SpoolInUse(directory, None) from None
    finally:
        os.close(descriptor)
