"""Reading sees the last commit, cannot write, and reports failures as such."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from graphrelay.model import StorageUnavailable
from graphrelay.spool.sqlite.database.reader import Reader
from graphrelay.spool.sqlite.errors import translated
from graphrelay.spool.sqlite.files.disk import Disk


@pytest.fixture
def writer(tmp_path: Path) -> sqlite3.Connection:
    connection = Disk().connect(tmp_path / "db")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE t (n INTEGER)")
    return connection


@pytest.fixture
async def reader(tmp_path: Path, writer: sqlite3.Connection) -> AsyncIterator[Reader]:
    reader = Reader(
        Disk().connect_to_read(tmp_path / "db"),
        lambda error, doing: translated(error, doing, tmp_path),
    )
    yield reader
    await reader.close()
    writer.close()


def count(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT count(*) FROM t").fetchone()[0])


async def test_it_sees_the_last_commit_and_waits_for_no_transaction(
    reader: Reader, writer: sqlite3.Connection
) -> None:
    Disk().begin(writer)
    writer.execute("INSERT INTO t VALUES (1)")
    assert await reader.run(count, "count") == 0
    Disk().commit(writer)
    assert await reader.run(count, "count") == 1


async def test_it_cannot_write(reader: Reader, writer: sqlite3.Connection) -> None:
    with pytest.raises(StorageUnavailable, match=r"could not count .* readonly"):
        await reader.run(lambda connection: connection.execute("DELETE FROM t"), "count")


@pytest.mark.parametrize(
    ("error", "reason"),
    [(OSError(5, "Input/output error"), "Input/output"), (MemoryError(), "not enough memory")],
)
async def test_a_disk_that_cannot_be_read_or_too_little_memory_is_reported(
    reader: Reader, error: Exception, reason: str
) -> None:
    def fails(connection: sqlite3.Connection) -> None:
        raise error

    with pytest.raises(StorageUnavailable, match=rf"could not list the queue in .*{reason}"):
        await reader.run(fails, "list the queue")


async def test_closing_ends_a_query_that_would_go_on_for_long(tmp_path: Path) -> None:
    Disk().connect(tmp_path / "db").close()
    reader = Reader(
        Disk().connect_to_read(tmp_path / "db"),
        lambda error, doing: translated(error, doing, tmp_path),
    )
    endless = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT max(n) FROM c"
    running = asyncio.Event()
    loop = asyncio.get_running_loop()

    def read(connection: sqlite3.Connection) -> None:
        def started() -> int:
            loop.call_soon_threadsafe(running.set)
            return 0

        connection.set_progress_handler(started, 10_000)
        connection.execute(endless).fetchone()

    query = asyncio.create_task(reader.run(read, "count"))
    await running.wait()
    await reader.close()
    with pytest.raises(StorageUnavailable, match="interrupted"):
        await query
