"""What can go wrong with the spool, in the words of those who must deal with it.

Foreign exceptions (`OSError`, `sqlite3.Error`, `MemoryError`) are translated here, once. What the
machine does to us (disk full, read-only, I/O error, a damaged page, no memory) becomes
`StorageUnavailable`: nothing was kept, and the same call works again when the cause is gone. What
only a mistake of ours can cause (a broken constraint, a wrong number of parameters) is left as it
is, so that it is seen.
"""

import errno
import os
import sqlite3
from pathlib import Path

from graphrelay.model import StorageUnavailable


class SpoolInUse(Exception):  # noqa: N818 (a condition, not a programming error)
    """Another process owns the spool; `pid` is `None` where it did not say who it is."""

    def __init__(self, directory: Path, pid: int | None) -> None:
        self.pid = pid
        who = f"the process {pid}" if pid else "another process"
        super().__init__(f"The spool {directory} is in use by {who}. Only one relay may own it.")


class SpoolTooNew(Exception):  # noqa: N818
    """The database was written by a later version of the program; it was not touched."""

    def __init__(self, path: Path, found: int, known: int) -> None:
        super().__init__(
            f"The spool {path} has schema version {found}, this program knows {known}."
            " Install the newer graphrelay again, or put back the copy made at the upgrade."
        )


class NotQueued(Exception):  # noqa: N818
    """The submission does not wait any more: unknown, held, or done meanwhile."""


class MailLost(Exception):  # noqa: N818
    """The submission cannot be read, or no process survives it. It is held, and the journal has
    said so."""


_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_OURS = (
    sqlite3.IntegrityError,
    sqlite3.ProgrammingError,
    sqlite3.InterfaceError,
    sqlite3.DataError,
    sqlite3.NotSupportedError,
)


def is_damage(error: BaseException) -> bool:
    """Whether the database file itself is broken."""
    return isinstance(error, sqlite3.Error) and _primary_code(error) in _DAMAGED


def is_full(error: BaseException | None) -> bool:
    """Whether there is no room, in which case nothing of the transaction is on disk."""
    if isinstance(error, sqlite3.Error):
        return _primary_code(error) == sqlite3.SQLITE_FULL
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def _primary_code(error: sqlite3.Error) -> int | None:
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def translated(error: BaseException, doing: str, where: Path) -> BaseException:
    """`StorageUnavailable` with a sentence for what the machine did; all else as it is.

    SQLite's own lack of memory is a `MemoryError` too.
    """
    if isinstance(error, _OURS) or not isinstance(error, sqlite3.Error | OSError | MemoryError):
        return error
    if is_full(error):
        advice = "Free some space there"
    elif is_damage(error):
        advice = "Restart the relay: it then recovers what can be read"
    elif isinstance(error, MemoryError):
        advice = "Give the relay more, or find out what takes it"
    else:
        advice = "Look at the disk and its mount"
    unavailable = StorageUnavailable(
        f"The spool could not {doing} in {where}: {_reason(error)}."
        f" {advice}; what was accepted before is kept, and the relay goes on by itself."
    )
    # Without the frames that it went through: they know who keeps the error, a circle that would
    # hold the octets of a refused message in memory until Python looks for such.
    unavailable.__cause__ = error.with_traceback(None)
    return unavailable


def _reason(error: sqlite3.Error | OSError | MemoryError) -> str:
    if isinstance(error, MemoryError):
        return "there is not enough memory"
    if isinstance(error, OSError):
        return os.strerror(error.errno) if error.errno else str(error)
    name = getattr(error, "sqlite_errorname", None)
    return f"{error} ({name})" if name else str(error)
