"""The rows of a queue in PostgreSQL, for copying (spool/copying.py).

A copy is made in a schema of its own (`COPYING`), which gets the name of the queue's when it is
complete: no relay ever sees a part of it. A queue that is read is locked until it has got another
name: a relay that was cut off, and comes back, waits, and then finds no queue.

One connection reads, another one writes.
"""

# ruff: noqa: S608 (our own words; values are bound)

import asyncio
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any

import psycopg

from graphrelay.spool.codec import DRAFT, PLAN, microseconds
from graphrelay.spool.copying import (
    BODIES,
    NUMBERED,
    CannotCopy,
    CopiedTable,
    Row,
    grouped,
    ungrouped,
)
from graphrelay.spool.errors import ENDS
from graphrelay.spool.postgres.bodies import PIECE
from graphrelay.spool.postgres.connections import SCHEMA, completed
from graphrelay.spool.postgres.database_clock import NOW
from graphrelay.spool.postgres.errors import translated
from graphrelay.spool.postgres.schema import prepare
from graphrelay.spool.postgres.text import restored, storable

COPYING = "graphrelay_copying"
_LOCK = 0x6772636F7079
"""Of the advisory lock of whoever copies into this database."""
_SECOND = 1_000_000

Connection = psycopg.Connection[tuple[Any, ...]]


class PostgresRows:
    """copying.RowTarget."""

    def __init__(self, read: Connection, write: Connection, service: str) -> None:
        """`service`: that of the secrets which are authorizations."""
        self._service = service
        self._read = read
        self._write = write
        self._numbers = count()
        [(now,)] = read.execute(f"SELECT {NOW}").fetchall()
        ahead = now - microseconds(datetime.now(UTC))
        self._ahead = round(ahead / _SECOND) * _SECOND
        """Of this host's clock, by which the embedded engine keeps when mail is due. In whole
        seconds, so that a copy that is continued finds the same moments."""

    # Reading ----------------------------------------------------------------------------------

    def count(self, table: CopiedTable) -> int:
        what = f"DISTINCT {table.key}" if table.grouped else "*"
        [(number,)] = self._read.execute(f"SELECT count({what}) FROM {table.name}").fetchall()
        return int(number)

    def rows(self, table: CopiedTable) -> Iterator[Row]:
        columns = ", ".join(table.columns)
        found = self._stream(f"SELECT {columns} FROM {table.name} ORDER BY {table.key}", (), 200)
        due = table.columns.index("not_before") if "not_before" in table.columns else -1
        yield from grouped(table, (self._row(row, due) for row in found))

    def _row(self, row: tuple[Any, ...], due: int) -> Row:
        ours = tuple(restored(value) if isinstance(value, str) else value for value in row)
        if due >= 0 and ours[due] is not None:
            return (*ours[:due], ours[due] - self._ahead, *ours[due + 1 :])
        return ours

    def body(self, message: int) -> Iterator[bytes]:
        pieces = """SELECT p.octets FROM pieces p JOIN bodies b ON p.body = b.pieces
            WHERE b.message = %s ORDER BY p.start"""
        for (octets,) in self._stream(pieces, (message,), 4):
            yield octets

    def _stream(
        self, query: str, values: tuple[Any, ...], at_once: int
    ) -> Iterator[tuple[Any, ...]]:
        """The rows as they were when this began."""
        name = f"copy{next(self._numbers)}"
        with self._read.transaction(), self._read.cursor(name=name) as cursor:
            cursor.itersize = at_once
            yield from cursor.execute(query, values, binary=True)

    def secrets(self) -> dict[str, bytes]:
        found = self._read.execute(
            "SELECT name, octets FROM secrets WHERE service = %s", (self._service,)
        )
        return {restored(name): octets for name, octets in found}

    def last_ids(self) -> dict[str, int]:
        found = {}
        for name in NUMBERED:
            [(last, used)] = self._read.execute(
                f"SELECT last_value, is_called FROM {name}_id_seq"
            ).fetchall()
            found[name] = last if used else 0
        return found

    # Writing ----------------------------------------------------------------------------------

    def put(self, table: CopiedTable, rows: Sequence[Row]) -> None:
        values = [self._values(table, row) for row in ungrouped(table, rows)]
        names = list(values[0])
        replaced = [f"{name} = excluded.{name}" for name in names if name != table.key]
        if table is BODIES:
            replaced.append("pieces = NULL")
        instead = f" ON CONFLICT ({table.key}) DO UPDATE SET {', '.join(replaced)}"
        marks = ", ".join("%b" if isinstance(values[0][name], bytes) else "%s" for name in names)
        with self._write.transaction():
            self._write.cursor().executemany(
                f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({marks})"
                f"{'' if table.grouped else instead}",
                [tuple(row.values()) for row in values],
            )

    def _values(self, table: CopiedTable, row: Row) -> dict[str, Any]:
        """By column, with those that only this engine has."""
        values = dict(zip(table.columns, row, strict=True))
        match table.name:
            case "submissions":
                if values["not_before"] is not None:
                    values["not_before"] += self._ahead
                values["route"] = _route(values["plan"])
            case "in_flight":
                values |= {"begun_at": values["started_at"] + self._ahead, "term": 0}
            case "drafts":
                progress = DRAFT.value(values["progress"])
                values |= {"draft": progress.id, "sending": progress.sending}
        return {
            name: storable(value) if isinstance(value, str) else value
            for name, value in values.items()
        }

    def put_large(self, row: Row, pieces: Iterable[bytes]) -> None:
        message, size, prefix, _ = row
        name, start = secrets.token_hex(12), 0
        with self._write.transaction():
            self._remove_pieces([message])
            for piece in pieces:
                for begin in range(0, len(piece), PIECE):
                    octets = piece[begin : begin + PIECE]
                    self._write.execute(
                        "INSERT INTO pieces (body, start, octets) VALUES (%s, %s, %b)",
                        (name, start, octets),
                    )
                    start += len(octets)
            self._write.execute(
                "INSERT INTO bodies (message, size, prefix, pieces) VALUES (%s, %s, %b, %s)"
                " ON CONFLICT (message) DO UPDATE SET size = excluded.size,"
                " prefix = excluded.prefix, octets = NULL, pieces = excluded.pieces",
                (message, size, prefix, name),
            )

    def remove(self, table: CopiedTable, keys: Sequence[int]) -> None:
        with self._write.transaction():
            if table is BODIES:
                self._remove_pieces(keys)
            self._write.execute(
                f"DELETE FROM {table.name} WHERE {table.key} = ANY(%s)", (list(keys),)
            )

    def _remove_pieces(self, messages: Sequence[int]) -> None:
        self._write.execute(
            """DELETE FROM pieces WHERE body IN
               (SELECT pieces FROM bodies WHERE message = ANY(%s) AND pieces IS NOT NULL)""",
            (list(messages),),
        )

    def put_secrets(self, secrets: dict[str, bytes]) -> None:
        rows = [(self._service, storable(name), octets) for name, octets in secrets.items()]
        with self._write.transaction():
            self._write.execute("DELETE FROM secrets WHERE service = %s", (self._service,))
            self._write.cursor().executemany(
                "INSERT INTO secrets (service, name, version, octets)"
                " VALUES (%s, %s, nextval('secret_versions'), %b)",
                rows,
            )

    def complete(self, last_ids: dict[str, int]) -> None:
        with self._write.transaction():
            self._write.execute(_LANES)
            for name, last in last_ids.items():
                self._write.execute(
                    "SELECT setval(%s::regclass, %s, %s)",
                    (f"{name}_id_seq", max(last, 1), last > 0),
                )
        self._write.execute("ANALYZE")


_LANES = """INSERT INTO lanes (account, mailbox, term)
    SELECT account, mailbox, 1 FROM submissions UNION
    SELECT account, mailbox, 1 FROM left_drafts ON CONFLICT DO NOTHING"""
"""Nobody's yet."""


def _route(plan: str) -> str:
    try:
        return PLAN.value(plan).route
    except ValueError:  # a plan that cannot be read is not sent either
        return ""


# --- Opening -------------------------------------------------------------------------------------


class PostgresQueue:
    """A database that is copied from or into. Owns two connections."""

    def __init__(self, url: str, read: Connection, write: Connection, service: str) -> None:
        self._url = url
        self._service = service
        self._read = read
        self._write = write

    def has_mail(self) -> bool:
        """Whether a queue is there that was used. Raises `CannotCopy` while a relay uses it."""
        if not _exists(self._write, SCHEMA):
            return False
        self._refuse_running(self._write)
        found = self._write.execute(f"SELECT EXISTS (SELECT FROM {SCHEMA}.messages)")
        return found.fetchone() == (True,)

    def _refuse_running(self, connection: Connection) -> None:
        found = connection.execute(
            f"SELECT host FROM {SCHEMA}.relays WHERE expires_at >= {NOW} ORDER BY host"
        )
        if hosts := [host for (host,) in found]:
            raise CannotCopy(
                f"{', '.join(hosts)} still runs with the queue in PostgreSQL: stop every relay"
                " (one that was killed counts as running until its lease has expired)"
            )

    # As the source ----------------------------------------------------------------------------

    def to_read(self) -> PostgresRows:
        """The queue, which nobody can change from now on. Raises `CannotCopy`."""
        asyncio.run(prepare(self._url))
        rows = self._rows_in(SCHEMA)
        self._read.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        self._read.execute(f"LOCK TABLE {', '.join(_MAIL)} IN SHARE ROW EXCLUSIVE MODE")
        self._refuse_running(self._read)
        return rows

    def set_aside(self, now: datetime) -> str:
        """Nobody is to find the queue under its name any more; the new one."""
        name = f"graphrelay_copied_{now:%Y%m%dt%H%M%S%f}"
        self._read.execute("SET LOCAL synchronous_commit = on")
        self._read.execute(f"ALTER SCHEMA {SCHEMA} RENAME TO {name}")
        self._read.execute("COMMIT")
        return f"schema {name} of PostgreSQL"

    # As the target ----------------------------------------------------------------------------

    def to_write(self) -> PostgresRows:
        """A copy that is begun, or continued. The session of one that was killed ends by itself,
        a moment later."""
        try:
            self._write.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        except psycopg.errors.LockNotAvailable as error:
            raise CannotCopy("another copy into this database is under way") from error
        asyncio.run(prepare(self._url, COPYING))
        return self._rows_in(COPYING)

    def _rows_in(self, schema: str) -> PostgresRows:
        for connection in (self._read, self._write):
            connection.execute(f"SET search_path = {schema}")
        return PostgresRows(self._read, self._write, self._service)

    def put_in_place(self, now: datetime) -> None:
        """The copy becomes the queue, at once and durably. Raises `CannotCopy`."""
        with self._write.transaction():
            self._write.execute("SET LOCAL synchronous_commit = on")
            if _exists(self._write, SCHEMA):
                self._write.execute(f"LOCK TABLE {SCHEMA}.messages, {SCHEMA}.relays")
                if self.has_mail():
                    raise CannotCopy("mail came into the queue in PostgreSQL meanwhile")
                if _has_secrets(self._write, self._service):
                    raise CannotCopy(
                        "PostgreSQL has authorizations already, which the copy would replace:"
                        " revoke them, or drop the schema graphrelay"
                    )
                self._write.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
            self._write.execute(f"ALTER SCHEMA {COPYING} RENAME TO {SCHEMA}")


_MAIL = (
    *("messages", "bodies", "pieces", "uploads", "submissions", "recipients", "in_flight", "log"),
    *("refusals", "drafts", "left_drafts", "readings", "secrets", "relays", "lanes"),
)


def _has_secrets(connection: Connection, service: str) -> bool:
    if not _exists(connection, SCHEMA, "secrets"):
        return False
    found = connection.execute(
        f"SELECT EXISTS (SELECT FROM {SCHEMA}.secrets WHERE service = %s)", (service,)
    )
    return found.fetchone() == (True,)


def _exists(connection: Connection, schema: str, table: str = "messages") -> bool:
    found = connection.execute(
        "SELECT FROM pg_tables WHERE schemaname = %s AND tablename = %s", (schema, table)
    )
    return found.fetchone() is not None


@contextmanager
def open_queue(url: str, service: str) -> Iterator[PostgresQueue]:
    """Raises `CannotCopy`, `SpoolTooNew`, `StorageUnavailable`."""
    try:
        with (
            psycopg.connect(completed(url), autocommit=True) as read,
            psycopg.connect(completed(url), autocommit=True) as write,
        ):
            for connection in (read, write):
                connection.execute(_SESSION)
            yield PostgresQueue(url, read, write, service)
    except psycopg.errors.InsufficientPrivilege as error:
        raise CannotCopy(
            f"the role may not do this in PostgreSQL ({error.diag.message_primary}): copy as the"
            " owner of the database"
        ) from error
    except psycopg.errors.LockNotAvailable as error:
        raise CannotCopy("something still writes to the queue in PostgreSQL: stop it") from error
    except psycopg.Error as error:
        raise translated(error, "be copied", ENDS)  # noqa: B904 (it carries its cause)


# Commits of a copy need not wait for the disk: the last ones do, and what was before with them.
_SESSION = """SELECT set_config('idle_in_transaction_session_timeout', '0', false),
    set_config('statement_timeout', '0', false), set_config('lock_timeout', '10s', false),
    set_config('synchronous_commit', 'off', false)"""
