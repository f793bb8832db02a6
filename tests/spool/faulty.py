"""A disk that fails at the request of the test."""

import errno
import gc
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from graphrelay.spool.sqlite import Disk

Step = str
"""`create`, `write`, `sync`, `sync_directory`, `rename`, `link`, `unlink`, `begin`, `commit`,
`sync_commits on`, `sync_commits off`."""


def no_room() -> OSError:
    return OSError(errno.ENOSPC, "No space left on device")


def io_error() -> OSError:
    return OSError(errno.EIO, "Input/output error")


def database_error(code: int, text: str) -> sqlite3.OperationalError:
    """As SQLite raises it."""
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    error.sqlite_errorname = text
    return error


def database_full() -> sqlite3.OperationalError:
    return database_error(sqlite3.SQLITE_FULL, "SQLITE_FULL")


def database_not_synced() -> sqlite3.OperationalError:
    return database_error(sqlite3.SQLITE_IOERR_FSYNC, "SQLITE_IOERR_FSYNC")


class FaultyDisk(Disk):
    """Records every step; `before` is called at each and may raise."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.before: Callable[[Step], None] = lambda step: None
        self.largest_write: int | None = None
        self.free_octets: int | None = None
        self.looks = 0
        """How often the free space was asked for."""

    def fail(self, step: Step, error: BaseException, times: int = 1) -> None:
        """From now on, the next `times` times that `step` is taken."""
        left = [times]

        def before(taken: Step) -> None:
            if taken == step and left[0]:
                left[0] -= 1
                raise error

        self.before = before

    def fail_always(self, step: Step, error: Callable[[], BaseException]) -> None:
        """From now on; a new error each time, so that its traceback keeps nothing alive."""

        def before(taken: Step) -> None:
            if taken == step:
                raise error()

        self.before = before

    def heal(self) -> None:
        self.before = lambda step: None

    def _step(self, step: Step) -> None:
        self.steps.append(step)
        self.before(step)

    def create(self, path: Path) -> int:
        self._step("create")
        return super().create(path)

    def write(self, descriptor: int, octets: memoryview) -> int:
        self._step("write")
        return super().write(descriptor, octets[: self.largest_write])

    def sync(self, descriptor: int) -> None:
        self._step("sync")
        super().sync(descriptor)

    def sync_directory(self, path: Path) -> None:
        self._step("sync_directory")
        super().sync_directory(path)

    def rename(self, old: Path, new: Path) -> None:
        self._step("rename")
        super().rename(old, new)

    def link(self, file: Path, name: Path) -> None:
        self._step("link")
        super().link(file, name)

    def unlink(self, path: Path) -> None:
        self._step("unlink")
        super().unlink(path)

    def free(self, path: Path) -> int:
        self.looks += 1
        return super().free(path) if self.free_octets is None else self.free_octets

    def sync_commits(self, connection: sqlite3.Connection, on: bool) -> None:
        self._step(f"sync_commits {'on' if on else 'off'}")
        super().sync_commits(connection, on)

    def begin(self, connection: sqlite3.Connection) -> None:
        self._step("begin")
        super().begin(connection)

    def commit(self, connection: sqlite3.Connection) -> None:
        self._step("commit")
        super().commit(connection)


def open_descriptors(directory: Path) -> list[str]:
    """The files below `directory` that this process has open."""
    names = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            target = str(entry.readlink())
        except FileNotFoundError:
            continue
        if target.startswith(str(directory)):
            names.append(target)
    return names


@contextmanager
def no_garbage_collected() -> Iterator[None]:
    """An object that disappears in the block does so because nothing refers to it any more."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def no_threads_left(monkeypatch: pytest.MonkeyPatch, after: int = 0) -> None:
    """From now on `after` more threads can be started."""
    start: Callable[[Thread], None] = Thread.start
    left = [after]

    def started(thread: Thread) -> None:
        if not left[0]:
            raise RuntimeError("can't start new thread")
        left[0] -= 1
        start(thread)

    monkeypatch.setattr(Thread, "start", started)
