"""The rows of an embedded spool, for copying (spool/copying.py).

A copy is made in a directory of its own (`PARTIAL`), and moved to its place when it is complete.
The spool's lock is held meanwhile. One connection reads, at one moment each time; another one
writes.
"""

import asyncio
import json
import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from graphrelay.clock import SystemClock
from graphrelay.journal import Journal
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
from graphrelay.spool.sqlite.database.schema import configure
from graphrelay.spool.sqlite.database.text import restored, storable
from graphrelay.spool.sqlite.engine import SqliteSpool
from graphrelay.spool.sqlite.errors import translated
from graphrelay.spool.sqlite.files.bodies import PIECE, SUFFIX
from graphrelay.spool.sqlite.files.disk import Disk
from graphrelay.spool.sqlite.files.lock import Lock
from graphrelay.spool.sqlite.startup.start import DATABASE

# ruff: noqa: S608 (our own words; values are bound)

BODY_FILES = "bodies"
PARTIAL = "copying"
VAULT = "vault"
_OCTETS = ("prefix", "octets")


class SecretFiles(Protocol):
    """Files of sealed secrets (oauth/vault/files.py)."""

    def names(self, service: str) -> Iterator[str]: ...

    def read(self, service: str, username: str) -> bytes | None: ...

    def replace(self, service: str, username: str, octets: bytes) -> None: ...

    def remove(self, service: str, username: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Vaults:
    """How authorizations are kept in files."""

    files: Callable[[Path], SecretFiles]
    """Those in a directory."""
    service: str


class SqliteRows:
    """copying.RowTarget, made by `open_rows`."""

    def __init__(
        self,
        directory: Path,
        read: sqlite3.Connection,
        write: sqlite3.Connection,
        vault: Vaults,
    ) -> None:
        self.directory = directory
        self._service = vault.service
        self._vault = vault.files(directory / VAULT)
        self._read = read
        self._write = write
        self._disk = Disk()

    # Reading ----------------------------------------------------------------------------------

    def count(self, table: CopiedTable) -> int:
        what = f"DISTINCT {table.key}" if table.grouped else "*"
        [number] = self._read.execute(f"SELECT count({what}) FROM {table.name}").fetchone()
        return int(number)

    def rows(self, table: CopiedTable) -> Iterator[Row]:
        columns = ", ".join(table.columns)
        found = self._read.execute(f"SELECT {columns} FROM {table.name} ORDER BY {table.key}")
        octets = [column in _OCTETS for column in table.columns]
        yield from grouped(table, (_restored(row, octets) for row in found))

    def body(self, message: int) -> Iterator[bytes]:
        found = self._read.execute("SELECT file FROM bodies WHERE message = ?", (message,))
        [name] = found.fetchone()
        try:
            file = (self.directory / BODY_FILES / name).open("rb")
        except FileNotFoundError:  # it was lost before, and its parts are held
            return
        with file:
            while piece := file.read(PIECE):
                yield piece

    def secrets(self) -> dict[str, bytes]:
        found = {name: self._vault.read(self._service, name) for name in self._names()}
        return {name: octets for name, octets in found.items() if octets is not None}

    def _names(self) -> list[str]:
        return list(self._vault.names(self._service))

    def last_ids(self) -> dict[str, int]:
        found = dict(self._read.execute("SELECT name, seq FROM sqlite_sequence"))
        return {name: found.get(name, 0) for name in NUMBERED}

    # Writing ----------------------------------------------------------------------------------

    def put(self, table: CopiedTable, rows: Sequence[Row]) -> None:
        columns, marks = ", ".join(table.columns), ", ".join("?" * len(table.columns))
        values = [tuple(map(_storable, row)) for row in ungrouped(table, rows)]
        replaced = [f"{name} = excluded.{name}" for name in table.columns[1:]]
        if table is BODIES:
            replaced.append("file = NULL")
        instead = f" ON CONFLICT ({table.key}) DO UPDATE SET {', '.join(replaced)}"
        with self._transaction():
            self._write.executemany(
                f"INSERT INTO {table.name} ({columns}) VALUES ({marks})"
                f"{'' if table.grouped else instead}",
                values,
            )

    def put_large(self, row: Row, pieces: Iterable[bytes]) -> None:
        message, size, prefix, _ = row
        name = secrets.token_hex(12) + SUFFIX
        self._file(name, pieces)
        with self._transaction():
            self._write.execute(
                "INSERT INTO bodies (message, size, prefix, file) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (message) DO UPDATE SET size = excluded.size,"
                " prefix = excluded.prefix, octets = NULL, file = excluded.file",
                (message, size, prefix, name),
            )

    def _file(self, name: str, pieces: Iterable[bytes]) -> None:
        """On the disk, with its name, before any row names it."""
        folder = self.directory / BODY_FILES
        descriptor = self._disk.create(folder / name)
        try:
            for piece in pieces:
                rest = memoryview(piece)
                while rest:
                    rest = rest[self._disk.write(descriptor, rest) :]
            self._disk.sync(descriptor)
        finally:
            os.close(descriptor)
        self._disk.sync_directory(folder)

    def forget_lost_bodies(self) -> None:
        """They are copied once more: who was killed in `put_in_place` had moved their files."""
        there = json.dumps([file.name for file in (self.directory / BODY_FILES).iterdir()])
        with self._transaction():
            self._write.execute(
                "DELETE FROM bodies WHERE file IS NOT NULL"
                " AND file NOT IN (SELECT value FROM json_each(?))",
                (there,),
            )

    def remove(self, table: CopiedTable, keys: Sequence[int]) -> None:
        which = f"{table.key} IN (SELECT value FROM json_each(?))"
        with self._transaction():
            self._write.execute(f"DELETE FROM {table.name} WHERE {which}", (json.dumps(keys),))

    def put_secrets(self, secrets: dict[str, bytes]) -> None:
        for name in self._names():
            if name not in secrets:
                self._vault.remove(self._service, name)
        for name, octets in secrets.items():
            self._vault.replace(self._service, name, octets)

    def complete(self, last_ids: dict[str, int]) -> None:
        with self._transaction():
            for name, last in last_ids.items():
                self._write.execute("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
                if last:
                    self._write.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", (name, last))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._disk.begin(self._write)
        try:
            yield
            self._disk.commit(self._write)
        except BaseException:
            if self._write.in_transaction:
                self._write.rollback()
            raise


def _restored(row: tuple[Any, ...], octets: Sequence[bool]) -> Row:
    return tuple(
        restored(value) if isinstance(value, bytes) and not is_octets else value
        for value, is_octets in zip(row, octets, strict=True)
    )


def _storable(value: Any) -> Any:
    return storable(value) if isinstance(value, str) else value


# --- Opening -------------------------------------------------------------------------------------


class SqliteQueue:
    """A state directory that is copied from or into. Owns its lock and the connections."""

    def __init__(self, directory: Path, vault: Vaults) -> None:
        self._directory = directory
        self._vault = vault
        self._disk = Disk()
        self._lock: Lock | None = None
        self._connections = ExitStack()

    def close(self) -> None:
        self._connections.close()
        if self._lock is not None:
            self._lock.give_back()

    def has_mail(self) -> bool:
        if not (self._directory / DATABASE).exists():
            return False
        with closing(self._disk.connect_to_read(self._directory / DATABASE)) as read:
            try:
                return read.execute("SELECT 1 FROM messages LIMIT 1").fetchone() is not None
            except sqlite3.OperationalError as error:  # a database without tables
                if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:
                    return False
                raise

    # As the source ----------------------------------------------------------------------------

    def to_read(self) -> SqliteRows:
        if not (self._directory / DATABASE).exists():
            raise CannotCopy(f"{self._directory} has no queue")
        self._current(self._directory)
        self._own()
        return self._rows(self._directory)

    def set_aside(self, now: datetime) -> str:
        self._connections.close()
        aside = self._directory / f"copied-{now:%Y%m%dT%H%M%S%f}"
        aside.mkdir(0o700)
        _write_back(self._directory / DATABASE)
        self._move((DATABASE, BODY_FILES, VAULT), self._directory, aside)
        return str(aside)

    def _move(self, names: Iterable[str], here: Path, there: Path) -> None:
        for name in names:
            if (here / name).exists():
                self._disk.rename(here / name, there / name)
                self._disk.sync_directory(there)
                self._disk.sync_directory(here)

    # As the target ----------------------------------------------------------------------------

    def to_write(self) -> SqliteRows:
        self._disk.make_directory(self._directory)
        self._own()
        partial = self._directory / PARTIAL
        self._current(partial)
        rows = self._rows(partial)
        rows.forget_lost_bodies()
        return rows

    def put_in_place(self, now: datetime) -> None:
        """The database comes last: with it, the queue is there."""
        self._connections.close()
        partial = self._directory / PARTIAL
        _write_back(partial / DATABASE)
        if (self._directory / DATABASE).exists():  # without mail
            _write_back(self._directory / DATABASE)
        shutil.rmtree(self._directory / BODY_FILES, ignore_errors=True)
        if (self._directory / VAULT).exists():
            replaced = self._directory / f"replaced-{now:%Y%m%dT%H%M%S%f}"
            self._disk.make_directory(replaced)
            self._move((VAULT,), self._directory, replaced)
        self._move((VAULT, BODY_FILES, DATABASE), partial, self._directory)
        shutil.rmtree(partial)

    # Both -------------------------------------------------------------------------------------

    def _own(self) -> None:
        """No relay can start from now on. Raises `SpoolInUse`."""
        if self._lock is None:
            self._lock = Lock.take(self._directory)

    def _current(self, directory: Path) -> None:
        """A database of this version, checked and sound."""

        async def open_and_close() -> None:
            clock = SystemClock()
            async with SqliteSpool.open(directory, clock, Journal(clock), reserve=0):
                pass

        asyncio.run(open_and_close())

    def _rows(self, directory: Path) -> SqliteRows:
        database = directory / DATABASE
        write = self._connections.enter_context(closing(self._disk.connect(database)))
        configure(write)
        read = self._connections.enter_context(closing(self._disk.connect_to_read(database)))
        return SqliteRows(directory, read, write, self._vault)


def _write_back(database: Path) -> None:
    """The database is moved alone, so that its write-ahead log must be in it."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")


@contextmanager
def open_queue(directory: Path, vault: Vaults) -> Iterator[SqliteQueue]:
    """Raises `CannotCopy`, `SpoolInUse`, `SpoolTooNew`, `StorageUnavailable`."""
    try:
        with closing(SqliteQueue(directory, vault)) as queue:
            yield queue
    except (sqlite3.Error, OSError) as error:
        raise translated(error, "be copied", directory, ENDS) from error
