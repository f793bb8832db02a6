"""Errors of SQLite and of the file system, translated once, at the border of the engine.

What the machine does (disk full, read-only, I/O error, a damaged page, no memory) becomes
`StorageUnavailable`: nothing was kept, and the same call works again when the cause is gone. What
only a programming error can cause (a broken constraint, a wrong number of parameters) is left as it
is, so that it is seen.
"""

import errno
import os
import sqlite3
from pathlib import Path

from graphrelay.model import StorageUnavailable

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
