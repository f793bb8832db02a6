"""Errors of SQLite and of the file system, translated once, at the border of the engine.

Failures of the machine (disk full, read-only, I/O error, a damaged page, no memory) become
`StorageUnavailable`: nothing was stored, and the same call works again once the cause is removed.
Programming errors (a violated constraint, a wrong number of parameters) are passed on unchanged, so
that they are noticed.
"""

import errno
import os
import sqlite3
from pathlib import Path

from graphrelay.model import StorageUnavailable
from graphrelay.spool.errors import GOES_ON

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_OURS = (
    sqlite3.IntegrityError,
    sqlite3.ProgrammingError,
    sqlite3.InterfaceError,
    sqlite3.DataError,
    sqlite3.NotSupportedError,
)


def is_damage(error: BaseException) -> bool:
    """Whether the database file itself is damaged."""
    return isinstance(error, sqlite3.Error) and _primary_code(error) in _DAMAGED


def is_full(error: BaseException | None) -> bool:
    """Whether the disk is full, in which case nothing of the transaction is on disk."""
    if isinstance(error, sqlite3.Error):
        return _primary_code(error) == sqlite3.SQLITE_FULL
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def _primary_code(error: sqlite3.Error) -> int | None:
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def translated(error: BaseException, doing: str, where: Path, then: str = GOES_ON) -> BaseException:
    """`StorageUnavailable` with a description of the failure, and of what happens `then`; any other
    error unchanged.

    SQLite's own lack of memory is a `MemoryError` too.
    """
    if isinstance(error, _OURS) or not isinstance(error, sqlite3.Error | OSError | MemoryError):
        return error
    if is_full(error):
        advice = "Free some space there"
    elif is_damage(error):
        advice = "Restart the relay: it then recovers what can be read"
    elif isinstance(error, MemoryError):
        advice = "Give the relay more, or find out what uses it"
    else:
        advice = "Look at the disk and its mount"
    unavailable = StorageUnavailable(
        f"The spool could not {doing} in {where}: {_reason(error)}. {advice}; {then}."
    )
    # Without its traceback: the frames refer to whatever keeps the error, a circle that would hold
    # the octets of a refused message in memory until the garbage collector runs.
    unavailable.__cause__ = error.with_traceback(None)
    return unavailable


def _reason(error: sqlite3.Error | OSError | MemoryError) -> str:
    if isinstance(error, MemoryError):
        return "there is not enough memory"
    if isinstance(error, OSError):
        return os.strerror(error.errno) if error.errno else str(error)
    name = getattr(error, "sqlite_errorname", None)
    return f"{error} ({name})" if name else str(error)
