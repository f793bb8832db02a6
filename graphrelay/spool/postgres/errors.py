"""Errors of PostgreSQL and of the way to it, translated once, at the border of the engine.

What the server or the network does (away, read-only, disk full, too many connections, a conflict
with another relay) becomes `StorageUnavailable`, and `StorageAway` unless its disk is full: the
same call works again when the cause is gone. What only a programming error can cause is left as it
is, so that it is seen.
"""

import psycopg
from psycopg import errors

from graphrelay.model import StorageAway, StorageUnavailable, one_line
from graphrelay.spool.errors import GOES_ON

_OURS = (
    psycopg.IntegrityError,
    psycopg.ProgrammingError,
    psycopg.InterfaceError,
    psycopg.DataError,
    psycopg.NotSupportedError,
)
CONFLICTS = (errors.DeadlockDetected, errors.SerializationFailure, errors.UniqueViolation)
"""Another relay was at the same rows, or chose the same queue id (its clock may be wrong): the same
transaction may be tried again at once, with other queue ids."""


def connection_lost(error: BaseException) -> bool:
    """Whether the server did not say what became of the statement."""
    if isinstance(error, psycopg.OperationalError):
        # Class 57P: the server ends the session. Without a state, there was no answer.
        return error.sqlstate is None or error.sqlstate.startswith(("57P", "08"))
    return False


def passes(error: psycopg.Error) -> bool:
    """Whether it may be gone when the server is asked again, though nobody changes anything for
    this relay."""
    return not isinstance(error, _OURS)


def translated(error: BaseException, doing: str, then: str = GOES_ON) -> BaseException:
    """`StorageUnavailable`, which says what the server did and what happens `then`; all else as it
    is."""
    if isinstance(error, _MAY_END):
        pass
    elif isinstance(error, _OURS) or not isinstance(error, psycopg.Error):
        return error
    kind = StorageUnavailable if isinstance(error, errors.DiskFull) else StorageAway
    unavailable = kind(
        f"The spool could not {doing} in PostgreSQL: {_reason(error)}. {_advice(error)}; {then}."
    )
    # Without the frames that it went through: they know who keeps the error.
    unavailable.__cause__ = error.with_traceback(None)
    return unavailable


_MAY_END = (errors.ReadOnlySqlTransaction, errors.InsufficientPrivilege, errors.UndefinedTable)
"""What an admin may have caused, and may end, though it looks like an error of ours."""


def _reason(error: BaseException) -> str:
    return one_line(str(error)).rstrip(".") or type(error).__name__


def _advice(error: BaseException) -> str:
    match error:
        case errors.DiskFull():
            return "Free some space on the server"
        case errors.ReadOnlySqlTransaction():
            return "The server is a standby or set read-only; let the URL name the primary"
        case errors.InsufficientPrivilege() | errors.UndefinedTable():
            return "Run: graphrelay spool init"
        case errors.LockNotAvailable():
            return "Wait for whoever uses the tables, such as a backup"
        case errors.TooManyConnections():
            return "Raise max_connections of the server"
        case _:
            return "Look at the server and the network to it"
