"""The spool at one moment, for a backup, while the relay writes it.

    link the body files that there are ─▶ copy the database ─▶ a body that the copy names has no
        ▲                                                       link: it came, and went, meanwhile
        └───────────────────────────────────────────────────────────┘

SQLite's backup API copies one moment of the database, and stops nobody. A body file is deleted as
soon as its mail is done, so each gets a second name first: a copy of the database never names a
body that is not there. All of it is in a directory of its own in the spool's, removed afterwards; a
crash leaves it behind, and the next snapshot removes it.
"""

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from graphrelay.model import StorageUnavailable
from graphrelay.spool.errors import ENDS
from graphrelay.spool.sqlite.errors import translated
from graphrelay.spool.sqlite.files.disk import Disk
from graphrelay.spool.sqlite.startup.start import DATABASE

BODIES = "bodies"
STAGE = "backup.partial"
TRIES = 10


@contextmanager
def snapshot(directory: Path, disk: Disk | None = None) -> Iterator[Path]:
    """A directory with `spool.db`, checked, and `bodies/`, for as long as the block lasts. Raises
    `StorageUnavailable`."""
    disk = disk or Disk()
    stage = directory / STAGE
    with ExitStack() as whole:
        try:
            stage.mkdir(0o700, exist_ok=True)
            whole.enter_context(_alone(stage))
            _clear(stage)
            whole.callback(_remove, stage)
            _fill(directory, stage, disk)
        except (sqlite3.Error, OSError) as error:
            raise translated(error, "be backed up", directory, ENDS) from error
        yield stage  # an error of the block is not about this directory


@contextmanager
def _alone(stage: Path) -> Iterator[None]:
    descriptor = os.open(stage, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StorageUnavailable("Another backup is being made.") from None
        yield
    finally:
        os.close(descriptor)


def _remove(stage: Path) -> None:
    _clear(stage)
    stage.rmdir()


def _clear(stage: Path) -> None:
    for inside in stage.iterdir():
        if inside.is_dir():
            shutil.rmtree(inside)
        else:
            inside.unlink()


def _fill(directory: Path, stage: Path, disk: Disk) -> None:
    (stage / BODIES).mkdir(0o700)
    for _ in range(TRIES):
        for body in (directory / BODIES).iterdir():
            _link(body, stage / BODIES / body.name)
        named = _copy(directory / DATABASE, stage / DATABASE, disk)
        if all(_link(directory / BODIES / name, stage / BODIES / name) for name in named):
            break
    else:
        raise StorageUnavailable("Large messages come and go too fast for a backup: try again.")
    for body in (stage / BODIES).iterdir():
        if body.name not in named:
            body.unlink()


def _link(body: Path, name: Path) -> bool:
    """Whether it has its second name."""
    with suppress(FileExistsError):
        try:
            name.hardlink_to(body)
        except FileNotFoundError:
            return False
    return True


def _copy(source: Path, target: Path, disk: Disk) -> set[str]:
    """The names of the bodies in the copy, which is one file and sound. Raises
    `StorageUnavailable`."""
    target.unlink(missing_ok=True)
    with closing(disk.connect_to_read(source)) as read, closing(sqlite3.connect(target)) as copy:
        read.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
        [found] = copy.execute("PRAGMA integrity_check(1)").fetchone()
        if found != "ok":
            raise StorageUnavailable(f"The database is damaged ({found}): restart the relay.")
        rows = copy.execute("SELECT file FROM bodies WHERE file IS NOT NULL")
        return {str(name) for (name,) in rows}
