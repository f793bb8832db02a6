"""Group commit: many callers, one sync, and no caller is affected by the failure of another."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from threading import Event

import pytest

from graphrelay.model import StorageUnavailable
from graphrelay.spool.sqlite.database.writer import DatabaseTransaction, Shared, Work, Writer
from graphrelay.spool.sqlite.errors import translated
from tests.spool.faulty import FaultyDisk, Step, database_full, database_not_synced


@pytest.fixture
def disk() -> FaultyDisk:
    return FaultyDisk()


@pytest.fixture
def unlinked() -> list[str]:
    return []


@pytest.fixture
async def writer(tmp_path: Path, disk: FaultyDisk, unlinked: list[str]) -> AsyncIterator[Writer]:
    connection = disk.connect(tmp_path / "db")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE t (n INTEGER PRIMARY KEY)")
    writer = Writer(
        connection, disk, lambda error, doing: translated(error, doing, tmp_path), unlinked.extend
    )
    writer.start()
    yield writer
    await writer.close()


def insert(n: int) -> Work[int]:
    def work(transaction: DatabaseTransaction) -> int:
        transaction.connection.execute("INSERT INTO t VALUES (?)", (n,))
        return n

    return work


def numbers(tmp_path: Path) -> list[int]:
    connection = sqlite3.connect(tmp_path / "db")
    rows = [n for (n,) in connection.execute("SELECT n FROM t ORDER BY n")]
    connection.close()
    return rows


class Gate:
    """Holds the writer's thread at its next commit."""

    def __init__(self, disk: FaultyDisk) -> None:
        self.reached = asyncio.Event()
        self._go_on = Event()
        loop = asyncio.get_running_loop()

        def before(step: Step) -> None:
            if step == "commit" and not self._go_on.is_set():
                loop.call_soon_threadsafe(self.reached.set)
                self._go_on.wait(10)

        disk.before = before

    def open(self) -> None:
        self._go_on.set()


async def test_nobody_hears_of_success_before_the_commit(
    writer: Writer, disk: FaultyDisk, tmp_path: Path
) -> None:
    gate = Gate(disk)
    job = writer.submit(insert(1), "write")
    await gate.reached.wait()
    assert not job.future.done()
    assert numbers(tmp_path) == []
    gate.open()
    assert await job.future == 1
    assert numbers(tmp_path) == [1]


async def test_all_that_wait_share_one_commit(
    writer: Writer, disk: FaultyDisk, tmp_path: Path
) -> None:
    gate = Gate(disk)
    first = writer.submit(insert(0), "write")
    await gate.reached.wait()
    rest = [writer.submit(insert(n), "write") for n in range(1, 50)]
    gate.open()
    await asyncio.gather(first.future, *(job.future for job in rest))
    assert disk.steps.count("commit") == 2
    assert numbers(tmp_path) == list(range(50))


async def test_one_that_fails_fails_alone(writer: Writer, disk: FaultyDisk, tmp_path: Path) -> None:
    gate = Gate(disk)
    jobs = [writer.submit(insert(n), "write") for n in (0,)]
    await gate.reached.wait()
    jobs += [writer.submit(insert(n), "write") for n in (1, 2, 0, 3)]
    gate.open()
    answers = await asyncio.gather(*(job.future for job in jobs), return_exceptions=True)
    assert isinstance(answers[3], sqlite3.IntegrityError)
    assert [answer for answer in answers if isinstance(answer, int)] == [0, 1, 2, 3]
    assert numbers(tmp_path) == [0, 1, 2, 3]


async def test_works_that_share_are_done_in_one_call(
    writer: Writer, disk: FaultyDisk, tmp_path: Path
) -> None:
    calls: list[list[int]] = []

    def insert_all(transaction: DatabaseTransaction, values: list[int]) -> list[int]:
        calls.append(values)
        for n in values:
            transaction.connection.execute("INSERT INTO t VALUES (?)", (n,))
        return [n * 10 for n in values]

    gate = Gate(disk)
    first = writer.submit(insert(0), "write")
    await gate.reached.wait()
    jobs = [writer.submit(Shared(insert_all, n), "write") for n in (3, 1, 2)]
    gate.open()
    assert await first.future == 0
    assert await asyncio.gather(*(job.future for job in jobs)) == [30, 10, 20]
    assert calls == [[3, 1, 2]]


async def test_a_failed_commit_is_reported_to_all_and_leaves_nothing(
    writer: Writer, disk: FaultyDisk, tmp_path: Path
) -> None:
    disk.fail("commit", database_full(), times=100)
    with pytest.raises(StorageUnavailable, match=r"could not write .* Free some space"):
        await writer.run(insert(1), "write")
    disk.heal()
    assert numbers(tmp_path) == []
    assert await writer.run(insert(1), "write") == 1


async def test_a_mistake_in_telling_what_failed_stops_nobody_else(
    tmp_path: Path, disk: FaultyDisk
) -> None:
    def mistaken(error: BaseException, doing: str) -> BaseException:
        raise TypeError(f"no words for {error!r}")

    connection = disk.connect(tmp_path / "db")
    connection.execute("CREATE TABLE t (n INTEGER PRIMARY KEY)")
    writer = Writer(connection, disk, mistaken, list[str]().extend)
    writer.start()
    disk.fail("commit", database_full())
    with pytest.raises(TypeError, match="no words"):
        await writer.run(insert(1), "write")
    assert await writer.run(insert(2), "write") == 2
    await writer.close()
    assert numbers(tmp_path) == [2]


async def test_where_there_is_room_for_some_those_are_kept(
    writer: Writer, disk: FaultyDisk, tmp_path: Path
) -> None:
    gate = Gate(disk)
    first = writer.submit(insert(0), "write")
    await gate.reached.wait()
    jobs = [writer.submit(insert(n), "write") for n in (1, 2, 3)]
    disk.fail("commit", database_full(), times=2)  # the shared one, and then the first alone
    gate.open()
    answers = await asyncio.gather(
        first.future, *(job.future for job in jobs), return_exceptions=True
    )
    assert isinstance(answers[1], StorageUnavailable)
    assert numbers(tmp_path) == [0, 2, 3]


async def test_a_cancelled_caller_does_not_stop_the_work(
    writer: Writer, disk: FaultyDisk, tmp_path: Path
) -> None:
    gate = Gate(disk)
    caller = asyncio.create_task(writer.run(insert(1), "write"))
    await gate.reached.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    gate.open()
    assert await writer.run(insert(2), "write") == 2
    assert numbers(tmp_path) == [1, 2]


async def test_closing_does_first_what_was_asked_for(
    writer: Writer, disk: FaultyDisk, tmp_path: Path
) -> None:
    gate = Gate(disk)
    jobs = [writer.submit(insert(n), "write") for n in range(5)]
    await gate.reached.wait()
    closing = asyncio.create_task(writer.close())
    gate.open()
    await closing
    assert [job.future.result() for job in jobs] == list(range(5))
    with pytest.raises(StorageUnavailable, match="closed"):
        await writer.run(insert(9), "write")


async def test_files_go_only_after_the_commit(
    writer: Writer, disk: FaultyDisk, unlinked: list[str]
) -> None:
    def work(transaction: DatabaseTransaction) -> None:
        transaction.files_to_unlink.append("a.body")

    disk.fail("commit", database_full(), times=1)
    with pytest.raises(StorageUnavailable):
        await writer.run(work, "write")
    assert unlinked == []
    await writer.run(work, "write")
    assert unlinked == ["a.body"]


async def test_a_doubtful_file_stays_until_something_else_was_written(
    writer: Writer, disk: FaultyDisk, unlinked: list[str]
) -> None:
    disk.fail("commit", database_not_synced())
    with pytest.raises(StorageUnavailable, match="SQLITE_IOERR_FSYNC"):
        await writer.run(insert(1), "write")
    writer.unlink_after_next_commit("a.body")
    await writer.run(lambda transaction: None, "read")  # overwrites nothing in the WAL
    assert unlinked == []
    await writer.run(insert(2), "write")
    assert unlinked == ["a.body"]


def level(transaction: DatabaseTransaction) -> int:
    """2 is FULL: the commit is synced; 1 is NORMAL."""
    (synchronous,) = transaction.connection.execute("PRAGMA synchronous").fetchone()
    return int(synchronous)


async def test_a_commit_is_synced_unless_nothing_in_it_needs_it(
    writer: Writer, disk: FaultyDisk
) -> None:
    assert await writer.run(level, "read") == 2
    assert await writer.run_unsynced(level, "read") == 1
    gate = Gate(disk)
    first = writer.submit(level, "read", synced=False)
    await gate.reached.wait()
    shared = [writer.submit(level, "read", synced=synced) for synced in (False, True, False)]
    gate.open()
    assert await first.future == 1
    assert [await job.future for job in shared] == [2, 2, 2]
    assert await writer.run_unsynced(level, "read") == 1
    assert await writer.run(level, "read") == 2


@pytest.mark.parametrize("switch", ["on", "off"])
async def test_where_syncing_cannot_be_switched_nothing_is_committed_without_it(
    writer: Writer, disk: FaultyDisk, tmp_path: Path, switch: str
) -> None:
    write = writer.run_unsynced
    if switch == "on":
        await writer.run_unsynced(level, "read")
        write = writer.run
    disk.fail(f"sync_commits {switch}", database_full())
    with pytest.raises(StorageUnavailable):
        await write(insert(1), "write")
    assert numbers(tmp_path) == []
    assert await writer.run(level, "read") == 2


async def test_syncing_that_was_switched_off_with_an_error_is_switched_on_again(
    writer: Writer, disk: FaultyDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch = disk.sync_commits

    def switched_and_failed(connection: sqlite3.Connection, on: bool) -> None:
        switch(connection, on)
        raise database_full()

    monkeypatch.setattr(disk, "sync_commits", switched_and_failed)
    with pytest.raises(StorageUnavailable):
        await writer.run_unsynced(insert(1), "write")
    monkeypatch.undo()
    assert await writer.run(level, "read") == 2


async def test_a_doubtful_file_stays_until_something_was_synced(
    writer: Writer, unlinked: list[str]
) -> None:
    writer.unlink_after_next_commit("a.body")
    await writer.run_unsynced(insert(1), "write")
    assert unlinked == []
    await writer.run(insert(2), "write")
    assert unlinked == ["a.body"]


async def test_a_mistake_of_ours_is_not_called_a_full_disk(writer: Writer) -> None:
    def wrong(transaction: DatabaseTransaction) -> None:
        raise KeyError("ours")

    with pytest.raises(KeyError, match="ours"):
        await writer.run(wrong, "write")
    assert await writer.run(insert(1), "write") == 1
