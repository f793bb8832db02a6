"""The embedded engine on a disk: when it fails, when callers are cancelled, and housekeeping."""

import asyncio
import re
import sqlite3
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from threading import Event as ThreadEvent

import pytest

from graphrelay.journal import Entry, Journal
from graphrelay.model import (
    Attempt,
    Done,
    Failed,
    IncomingBody,
    NewMessage,
    StorageUnavailable,
)
from graphrelay.spool.changes import Delete
from graphrelay.spool.errors import NotQueued
from graphrelay.spool.queries import HistoryOf, InFlight, LogFilter, QueueFilter
from graphrelay.spool.sqlite import SqliteSpool
from graphrelay.spool.sqlite.engine import IDLE
from graphrelay.spool.sqlite.files.bodies import FileBody
from tests.clock import FakeClock, settle
from tests.spool.faulty import (
    FaultyDisk,
    Step,
    database_error,
    database_full,
    database_not_synced,
    io_error,
    no_garbage_collected,
    no_room,
    no_threads_left,
    open_descriptors,
)
from tests.spool.mail import (
    ANNA,
    NOON,
    a_message,
    attempt,
    entry,
    put,
    relayed,
    waiting_in,
)
from tests.tools import ROOT

LARGE = bytes(range(256)) * 4096


async def test_a_large_body_is_a_file_with_the_same_octets(spool: SqliteSpool) -> None:
    (submission,) = await put(spool, LARGE)

    assert isinstance(submission.body, FileBody)
    assert submission.body.path.read_bytes() == LARGE
    assert submission.body.path.stat().st_mode & 0o777 == 0o600
    assert await spool.load(submission.id) == submission


async def test_only_the_mark_of_reading_is_not_synced(
    tmp_path: Path, clock: FakeClock, journal: Journal
) -> None:
    disk = FaultyDisk()

    def switches() -> list[Step]:
        return [step for step in disk.steps if step.startswith("sync_commits")]

    async with SqliteSpool.open(tmp_path, clock, journal, disk=disk) as spool:
        (submission,) = await put(spool)
        assert switches() == []
        submission = await spool.load_to_send(entry(submission))
        assert switches() == ["sync_commits off"]
        number = await spool.begin(submission, NOON, "c")
        assert switches() == ["sync_commits off", "sync_commits on"]
        await spool.finish(submission, relayed(number), Done("relayed"))
        assert len(switches()) == 2


async def test_a_relayed_message_leaves_its_log_and_no_octets(
    spool: SqliteSpool, tmp_path: Path
) -> None:
    (submission,) = await put(spool, LARGE)
    number = await spool.begin(submission, NOON, "c")
    await spool.finish(submission, relayed(number), Done("relayed"))

    assert await waiting_in(spool) == []
    assert list((tmp_path / "spool" / "bodies").iterdir()) == []
    (row,) = await spool.read(LogFilter())
    assert (row.what, row.queue_id, row.recipients) == ("relayed", submission.queue_id, (ANNA,))
    shown = await spool.read(HistoryOf(submission.queue_id.lower()))
    assert shown is not None
    assert not shown.octets_kept
    assert shown.parts[0].history == (relayed(number),)


# --- When the disk fails -------------------------------------------------------------------------


@pytest.fixture
def disk() -> FaultyDisk:
    return FaultyDisk()


@pytest.fixture
async def faulty(
    tmp_path: Path, clock: FakeClock, journal: Journal, disk: FaultyDisk
) -> AsyncIterator[SqliteSpool]:
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0, disk=disk) as spool:
        yield spool
        disk.heal()
    assert open_descriptors(tmp_path) == []


@pytest.mark.parametrize("step", ["create", "write", "sync", "sync_directory", "begin", "commit"])
@pytest.mark.parametrize("size", [100, 200_000])
async def test_a_full_disk_refuses_the_message_and_leaves_nothing_of_it(
    faulty: SqliteSpool, disk: FaultyDisk, tmp_path: Path, step: Step, size: int
) -> None:
    (kept,) = await put(faulty, bytes(size))
    files = sorted(file.name for file in (tmp_path / "bodies").iterdir())
    in_database = step in ("begin", "commit")
    if not in_database and size == 100:
        return  # no such step for a small message
    disk.fail(step, database_full() if in_database else no_room())

    with pytest.raises(StorageUnavailable, match=r"Free some space there; .* resumes by itself"):
        await put(faulty, bytes(size))

    assert sorted(file.name for file in (tmp_path / "bodies").iterdir()) == files
    assert [row.submission_id for row in await faulty.read(QueueFilter())] == [kept.id]
    await put(faulty, bytes(size))  # the cause is gone
    assert len(await waiting_in(faulty)) == 2


@pytest.mark.parametrize("error", [database_full, MemoryError])
@pytest.mark.parametrize("step", ["begin", "commit"])
async def test_nothing_of_a_message_that_could_not_be_kept_stays_in_memory(
    tmp_path: Path,
    clock: FakeClock,
    journal: Journal,
    disk: FaultyDisk,
    step: Step,
    error: Callable[[], BaseException],
) -> None:
    with no_garbage_collected():
        async with SqliteSpool.open(tmp_path, clock, journal, reserve=0, disk=disk) as spool:
            disk.fail_always(step, error)
            body = spool.incoming()
            known = weakref.ref(body)
            await body.write(bytes(100))
            with suppress(StorageUnavailable):
                await spool.accept(a_message(), body)
            del body
            disk.heal()
            assert await waiting_in(spool) == []  # the writer is doing something else
        assert known() is None


async def test_while_the_database_is_not_there_under_its_name_no_mail_is_taken(
    tmp_path: Path, clock: FakeClock, journal: Journal
) -> None:
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0) as spool:
        (kept,) = await put(spool)
        (tmp_path / "spool.db").rename(tmp_path / "elsewhere")
        await clock.advance(timedelta(seconds=1))
        with pytest.raises(StorageUnavailable, match="No such file"):
            await put(spool)
        assert await spool.load(kept.id) == kept  # our own work continues
        (tmp_path / "elsewhere").rename(tmp_path / "spool.db")
        await put(spool)


async def test_where_no_thread_can_be_started_large_mail_is_taken_all_the_same(
    spool: SqliteSpool, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_threads_left(monkeypatch)
    (submission,) = await put(spool, LARGE)
    assert await spool.load(submission.id) == submission
    assert len(await spool.read(QueueFilter())) == 1


async def test_the_body_of_a_doubtful_commit_outlives_it(
    faulty: SqliteSpool, disk: FaultyDisk, tmp_path: Path
) -> None:
    disk.fail("commit", database_not_synced())
    with pytest.raises(StorageUnavailable):
        await put(faulty, LARGE)
    assert len(list((tmp_path / "bodies").iterdir())) == 1
    await put(faulty, b"small")
    assert list((tmp_path / "bodies").iterdir()) == []


async def test_an_outcome_that_could_not_be_recorded_can_be_recorded_again(
    faulty: SqliteSpool, disk: FaultyDisk
) -> None:
    (submission,) = await put(faulty)
    await faulty.begin(submission, NOON, "c")
    disk.fail("commit", database_full())
    with pytest.raises(StorageUnavailable):
        await faulty.finish(submission, relayed(), Done("relayed"))
    await faulty.finish(submission, relayed(), Done("relayed"))
    assert [row.what for row in await faulty.read(LogFilter())] == ["relayed"]


@pytest.mark.parametrize("step", ["begin", "commit"])
async def test_without_memory_mail_is_refused_and_an_outcome_can_be_recorded_again(
    faulty: SqliteSpool, disk: FaultyDisk, step: Step
) -> None:
    (submission,) = await put(faulty)
    await faulty.begin(submission, NOON, "c")
    disk.fail(step, MemoryError(), times=2)
    with pytest.raises(StorageUnavailable, match="not enough memory"):
        await put(faulty)
    with pytest.raises(StorageUnavailable, match="not enough memory"):
        await faulty.finish(submission, relayed(), Done("relayed"))
    await faulty.finish(submission, relayed(), Done("relayed"))
    assert await faulty.read(InFlight()) == []


async def test_a_body_file_that_cannot_be_removed_is_swept_at_the_next_start(
    tmp_path: Path, clock: FakeClock, journal: Journal, disk: FaultyDisk
) -> None:
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0, disk=disk) as spool:
        (submission,) = await put(spool, LARGE)
        disk.fail("unlink", io_error())
        await spool.change(Delete(submission.id, "no"))
        assert len(list((tmp_path / "bodies").iterdir())) == 1
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0):
        assert list((tmp_path / "bodies").iterdir()) == []


# --- When the caller goes away -------------------------------------------------------------------


def held_at_commit(disk: FaultyDisk) -> tuple[asyncio.Event, ThreadEvent]:
    """The writer stops at its commits: the first event reports it, the second lets it continue."""
    loop, reached, go_on = asyncio.get_running_loop(), asyncio.Event(), ThreadEvent()

    def before(step: Step) -> None:
        if step == "commit":
            loop.call_soon_threadsafe(reached.set)
            go_on.wait(10)

    disk.before = before
    return reached, go_on


@pytest.mark.parametrize("octets", [b"small", LARGE])
async def test_a_cancelled_put_leaves_nothing(
    faulty: SqliteSpool, disk: FaultyDisk, tmp_path: Path, octets: bytes
) -> None:
    body = faulty.incoming()
    await body.write(octets)
    reached, go_on = held_at_commit(disk)
    putting = asyncio.create_task(faulty.accept(a_message(), body))
    await reached.wait()
    putting.cancel()
    await settle()
    putting.cancel()  # impatient
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await putting

    await body.discard()
    assert await waiting_in(faulty) == []
    assert await faulty.read(QueueFilter()) == []
    assert list((tmp_path / "bodies").iterdir()) == []


async def test_a_closed_spool_takes_nothing(
    tmp_path: Path, clock: FakeClock, journal: Journal
) -> None:
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0) as spool:
        body = spool.incoming()
    with pytest.raises(StorageUnavailable, match="closed"):
        await spool.accept(a_message(), body)


# --- Housekeeping --------------------------------------------------------------------------------


async def test_housekeeping_prunes_and_tidies_when_nothing_happens(
    spool: SqliteSpool, clock: FakeClock, tmp_path: Path
) -> None:
    (submission,) = await put(spool)
    await spool.change(Delete(submission.id, "no"))
    wal = tmp_path / "spool" / "spool.db-wal"
    keeping = asyncio.create_task(spool.keep_house(timedelta(days=90)))
    await clock.advance(timedelta(0))
    assert wal.stat().st_size > 0

    async with asyncio.timeout(10):
        while wal.stat().st_size:
            await clock.advance(timedelta(seconds=30))
    assert await spool.read(HistoryOf(submission.queue_id)) is not None
    async with asyncio.timeout(10):
        while await spool.read(HistoryOf(submission.queue_id)) is not None:
            await clock.advance(timedelta(days=91))
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping


async def test_housekeeping_survives_a_full_disk(
    faulty: SqliteSpool, disk: FaultyDisk, clock: FakeClock, entries: list[Entry]
) -> None:
    disk.fail("commit", database_full(), times=1000)
    keeping = asyncio.create_task(faulty.keep_house(timedelta(days=90)))
    async with asyncio.timeout(10):
        while not entries:
            await clock.advance(timedelta(seconds=30))
    assert entries[0].event == "spool-housekeeping"
    assert not keeping.done()
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping


async def test_housekeeping_goes_on_after_a_mistake_of_ours(
    spool: SqliteSpool, clock: FakeClock, entries: list[Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It shares a TaskGroup with all the rest: an exception there would end the relay."""
    prune, mistakes = spool.prune, [ValueError("nonsense")]

    async def mistaken(keep: timedelta) -> int:
        if mistakes:
            raise mistakes.pop()
        return await prune(keep)

    monkeypatch.setattr(spool, "prune", mistaken)
    (submission,) = await put(spool)
    await spool.change(Delete(submission.id, "no"))
    keeping = asyncio.create_task(spool.keep_house(timedelta(days=90)))
    async with asyncio.timeout(10):
        while await spool.read(HistoryOf(submission.queue_id)) is not None:
            await clock.advance(timedelta(days=91))
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping
    (told,) = [entry for entry in entries if entry.event == "spool-broke"]
    assert (told.level, told.fields) == ("error", {"reason": "ValueError('nonsense')"})


async def test_a_check_that_cannot_begin_is_reported_and_begun_again(
    tmp_path: Path,
    disk: FaultyDisk,
    clock: FakeClock,
    journal: Journal,
    entries: list[Entry],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect, troubles = disk.connect_to_read, [database_error(14, "unable to open database file")]

    def connected(path: Path) -> sqlite3.Connection:
        if troubles:
            raise troubles.pop()
        checked.set()
        return connect(path)

    checked = asyncio.Event()
    async with SqliteSpool.open(
        tmp_path, clock, journal, reserve=0, disk=disk, check_at_once=0
    ) as spool:
        monkeypatch.setattr(disk, "connect_to_read", connected)
        keeping = asyncio.create_task(spool.keep_house(timedelta(days=90)))
        await clock.advance(timedelta(0))
        assert [entry.event for entry in entries] == ["spool-broke"]
        assert not keeping.done()
        await clock.advance(IDLE)
        async with asyncio.timeout(10):
            await checked.wait()
        keeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await keeping


# --- Reports -------------------------------------------------------------------------------------


def gone(number: int = 1) -> Attempt:
    return attempt(Failed(status="5.1.1", reason="no such mailbox"), number)


async def a_report(spool: SqliteSpool, octets: bytes) -> tuple[NewMessage, IncomingBody]:
    body = spool.incoming()
    await body.write(octets)
    return a_message(sender=None, subject="Not relayed"), body


@pytest.mark.parametrize("octets", [b"short", LARGE])
async def test_a_failure_and_the_report_about_it_are_one_transaction(
    faulty: SqliteSpool, disk: FaultyDisk, tmp_path: Path, octets: bytes
) -> None:
    (submission,) = await put(faulty)
    await faulty.begin(submission, NOON, "c")
    disk.fail("commit", database_full())
    with pytest.raises(StorageUnavailable):
        await faulty.finish(submission, gone(), Done("failed"), await a_report(faulty, octets))
    assert len(await faulty.read(InFlight())) == 1
    assert await waiting_in(faulty) == []
    assert list((tmp_path / "bodies").iterdir()) == []

    (report,) = await faulty.finish(
        submission, gone(), Done("failed"), await a_report(faulty, octets)
    )

    assert await waiting_in(faulty) == [report.id]
    assert await faulty.load(report.id) == report
    assert report.envelope.reverse_path is None


async def test_telling_an_outcome_again_reports_it_once(
    faulty: SqliteSpool, tmp_path: Path
) -> None:
    (submission,) = await put(faulty)
    await faulty.begin(submission, NOON, "c")
    for expected in (1, 0):
        report = await a_report(faulty, LARGE)
        answer = await faulty.finish(submission, gone(), Done("failed"), report)
        assert len(answer) == expected
    assert len(await waiting_in(faulty)) == 1
    assert len(list((tmp_path / "bodies").iterdir())) == 1


async def test_a_report_about_an_unknown_attempt_leaves_nothing(
    faulty: SqliteSpool, tmp_path: Path
) -> None:
    (submission,) = await put(faulty)
    with pytest.raises(NotQueued):
        await faulty.finish(submission, gone(), Done("failed"), await a_report(faulty, LARGE))
    assert list((tmp_path / "bodies").iterdir()) == []


async def test_a_cancelled_report_is_kept_with_its_outcome(
    faulty: SqliteSpool, disk: FaultyDisk, tmp_path: Path
) -> None:
    (submission,) = await put(faulty)
    await faulty.begin(submission, NOON, "c")
    report = await a_report(faulty, LARGE)
    reached, go_on = held_at_commit(disk)
    finishing = asyncio.create_task(faulty.finish(submission, gone(), Done("failed"), report))
    await reached.wait()
    finishing.cancel()
    await settle()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await finishing
    (number,) = await waiting_in(faulty)
    loaded = await faulty.load(number)
    assert isinstance(loaded.body, FileBody)
    assert loaded.body.path.read_bytes() == LARGE


def test_no_statement_numbers_its_placeholders() -> None:
    """`?1` with a sequence of values is deprecated from Python 3.12 on, and an error in 3.14."""
    statements = (ROOT / "graphrelay" / "spool" / "sqlite").rglob("*.py")
    assert [path.name for path in statements if re.search(r"\?\d", path.read_text("utf-8"))] == []
