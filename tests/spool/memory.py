"""The embedded engine without a disk and without threads, for tests in which nothing may happen by
itself: every call is done when it returns. The statements are the engine's own, so it keeps the
same promises; tests/spool/contract holds it to them all the same."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from graphrelay.clock import Clock
from graphrelay.durations import STORAGE, Durations
from graphrelay.journal import Journal
from graphrelay.model import StorageUnavailable
from graphrelay.spool.sqlite.database.reader import Reader
from graphrelay.spool.sqlite.database.schema import migrations
from graphrelay.spool.sqlite.database.writer import Job, Shared, Work, Writer, answer
from graphrelay.spool.sqlite.engine import SqliteSpool
from graphrelay.spool.sqlite.errors import translated
from graphrelay.spool.sqlite.files.bodies import BodyFolder, Incoming
from graphrelay.spool.sqlite.files.disk import Disk
from graphrelay.spool.sqlite.startup.start import Start
from graphrelay.spool.sqlite.statements.put import Depositor

T = TypeVar("T")
NOWHERE = Path("/nonexistent")


def _explained(error: BaseException, doing: str) -> BaseException:
    return translated(error, doing, NOWHERE)


class _Writer(Writer):
    trouble: StorageUnavailable | None = None

    def submit(
        self,
        work: Work[T] | Shared[Any, T],
        doing: str,
        *,
        alone: bool = False,
        synced: bool = True,
    ) -> Job[T]:
        if self.trouble:
            raise self.trouble
        job = Job(work, doing, asyncio.get_running_loop().create_future(), alone, synced)
        if alone:
            self._alone(job)
        else:
            self._together([job])
        answer([job])
        return job


class _Reader(Reader):
    def __init__(self, connection: sqlite3.Connection, writer: _Writer) -> None:
        self._connection = connection
        self._writer = writer

    async def run(self, read: Callable[[sqlite3.Connection], T], doing: str) -> T:
        if self._writer.trouble:
            raise self._writer.trouble
        return read(self._connection)


class _Disk(Disk):
    def free(self, path: Path) -> int:
        return 1 << 40


class Bodies(BodyFolder):
    """Every body is small enough for its row."""

    def __init__(self) -> None:
        self.path, self.disk, self.inline_limit, self.piece = NOWHERE, _Disk(), 1 << 40, 1 << 40
        self.syncs = Durations(STORAGE)

    def incoming(self) -> Incoming:
        return Incoming(self)

    def require_room(self) -> None:
        pass


class _InMemory(sqlite3.Connection):
    """Closed when it is no longer referenced: Python 3.13 warns about one that is not closed."""

    def __del__(self) -> None:
        self.close()


def connect() -> sqlite3.Connection:
    connection = sqlite3.connect(
        ":memory:", isolation_level=None, check_same_thread=False, factory=_InMemory
    )
    connection.execute("PRAGMA foreign_keys = ON")
    for migration in migrations():
        for statement in migration.statements():
            connection.execute(statement)
    return connection


class MemorySpool(SqliteSpool):
    """On a connection that outlives it, where a test stops and starts the relay."""

    def __init__(
        self,
        clock: Clock,
        journal: Journal,
        connection: sqlite3.Connection | None = None,
        keep_messages: timedelta = timedelta(0),
    ) -> None:
        self.connection = connection or connect()
        self.folder = folder = Bodies()
        self._own_writer = writer = _Writer(
            self.connection, folder.disk, _explained, lambda names: None
        )
        reader = _Reader(self.connection, writer)
        loop: Any = None  # nothing here runs in a thread
        start = Start(NOWHERE, folder.disk, clock, journal, migrations(), loop)
        depositor = Depositor(self.connection, folder)
        super().__init__(start, folder, writer, (reader, reader), depositor, keep_messages)

    @property
    def trouble(self) -> StorageUnavailable | None:
        """The exception that every call raises."""
        return self._own_writer.trouble

    @trouble.setter
    def trouble(self, trouble: StorageUnavailable | None) -> None:
        self._own_writer.trouble = trouble


@asynccontextmanager
async def opened(
    clock: Clock, journal: Journal, connection: sqlite3.Connection, **options: Any
) -> AsyncIterator[SqliteSpool]:
    yield MemorySpool(clock, journal, connection, **options)
