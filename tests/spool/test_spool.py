"""The promises of the spool as its callers see them."""

import asyncio
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
    Address,
    Attempt,
    Delayed,
    Done,
    Failed,
    Held,
    IncomingBody,
    InlineBody,
    Lane,
    NewMessage,
    Origin,
    Queued,
    StorageUnavailable,
    Submission,
    Uncertain,
    Waiting,
)
from graphrelay.spool import LogFilter, NotQueued, QueueFilter, Spool
from graphrelay.spool.spool import IDLE
from graphrelay.spool.sqlite.files.bodies import FileBody
from graphrelay.spool.sqlite.startup import check
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
    BERT,
    NOON,
    WEBSITE,
    a_message,
    attempt,
    delayed,
    plan,
    put,
    relayed,
)

LARGE = bytes(range(256)) * 4096


async def test_what_was_put_is_loaded_the_same(spool: Spool) -> None:
    (submission,) = await put(spool)

    assert await spool.load(submission.id) == submission
    assert submission.body == InlineBody(b"Hello\r\n")


async def test_a_large_body_is_a_file_with_the_same_octets(spool: Spool) -> None:
    (submission,) = await put(spool, LARGE)

    assert isinstance(submission.body, FileBody)
    assert submission.body.path.read_bytes() == LARGE
    assert submission.body.path.stat().st_mode & 0o777 == 0o600
    assert await spool.load(submission.id) == submission


async def test_mail_is_there_again_after_a_restart(
    tmp_path: Path, clock: FakeClock, journal: Journal
) -> None:
    async with Spool.open(tmp_path, clock, journal, reserve=0) as spool:
        (small,), (large,) = await put(spool), await put(spool, LARGE)
    async with Spool.open(tmp_path, clock, journal, reserve=0) as spool:
        waiting = await spool.waiting()
        assert [w.submission_id for w in waiting] == [small.id, large.id]
        assert waiting == [Waiting.of(small), Waiting.of(large)]
        assert await spool.load(small.id) == small
        assert await spool.load(large.id) == large


async def test_a_relayed_message_leaves_its_log_and_no_octets(spool: Spool, tmp_path: Path) -> None:
    (submission,) = await put(spool, LARGE)
    number = await spool.begin_attempt(submission.id, NOON, "c")
    await spool.finish_attempt(submission.id, relayed(number), Done("relayed"))

    assert await spool.waiting() == []
    assert list((tmp_path / "spool" / "bodies").iterdir()) == []
    (row,) = await spool.log()
    assert (row.what, row.queue_id, row.recipients) == ("relayed", submission.queue_id, (ANNA,))
    shown = await spool.show(submission.queue_id.lower())
    assert shown is not None
    assert not shown.octets_kept
    assert shown.parts[0].history == (relayed(number),)


async def test_the_octets_stay_until_the_last_part_is_done(spool: Spool) -> None:
    body = spool.incoming()
    await body.write(LARGE)
    first, second = await spool.put(a_message((plan(), (ANNA,)), (plan(), (BERT,))), body)
    assert second.queue_id == first.queue_id + "/2"

    await spool.begin_attempt(first.id, NOON, "c")
    await spool.finish_attempt(first.id, relayed(), Done("relayed"))

    assert await spool.load(second.id) == second
    await spool.begin_attempt(second.id, NOON, "c")
    await spool.finish_attempt(second.id, relayed(), Done("relayed"))
    shown = await spool.show(first.queue_id)
    assert shown is not None
    assert not shown.octets_kept


async def test_a_delayed_message_waits_until_its_time(spool: Spool) -> None:
    (submission,) = await put(spool)
    later = NOON + timedelta(minutes=5)
    number = await spool.begin_attempt(submission.id, NOON, "c")
    outcome = Delayed(status="4.7.0", reason="busy", retry_after=timedelta(seconds=1.5))
    await spool.finish_attempt(submission.id, attempt(outcome, number), Queued(later))

    (waiting,) = await spool.waiting()
    assert waiting.not_before == later
    assert (await spool.load(submission.id)).attempts == 1
    (row,) = await spool.queue()
    assert (row.last, row.attempts) == ("busy", 1)
    assert (await spool.log())[0].outcome == outcome


async def test_an_attempt_begun_and_never_finished_is_found_at_start(
    tmp_path: Path, clock: FakeClock, journal: Journal
) -> None:
    async with Spool.open(tmp_path, clock, journal, reserve=0) as spool:
        (submission,) = await put(spool)
        await spool.begin_attempt(submission.id, NOON, "client-1")
    async with Spool.open(tmp_path, clock, journal, reserve=0) as spool:
        (attempt,) = await spool.interrupted()
        assert await spool.waiting() == []
        assert (attempt.submission_id, attempt.number, attempt.client_request_id) == (
            submission.id,
            1,
            "client-1",
        )


async def test_the_first_part_is_called_like_the_message_and_each_has_its_recipients(
    spool: Spool,
) -> None:
    many = tuple(Address(f"r{n}", "example.org") for n in range(70))
    other = plan(Lane("other", "o@contoso.com"))
    first, second = await put(spool, message=a_message((plan(), many), (other, (BERT,))))
    assert first.envelope.forward_paths == many
    assert (second.queue_id, second.plan) == (f"{first.queue_id}/2", other)
    assert [waiting.lane for waiting in await spool.waiting()] == [WEBSITE, other.lane]


async def test_header_lines_added_at_acceptance_stand_before_the_body(spool: Spool) -> None:
    (submission,) = await put(spool, message=a_message(prefix=b"Date: x\r\n"))
    assert submission.size == len(b"Date: x\r\nHello\r\n")
    assert (await spool.load(submission.id)).prefix == b"Date: x\r\n"


async def test_octets_that_are_no_text_survive_in_names(spool: Spool) -> None:
    odd = Address("caf\udce9", "example.org")
    origin = Origin(listener="l", client="unix", helo="caf\udce9", login="\ud800")
    (submission,) = await put(
        spool,
        message=a_message((plan(), (odd,)), sender=odd, subject="\udcff", origin=origin),
    )
    assert await spool.load(submission.id) == submission
    (row,) = await spool.queue(QueueFilter(sender=str(odd), recipient=str(odd)))
    assert row.recipients == (odd,)
    assert row.subject == "\udcff"


# --- Attempts ------------------------------------------------------------------------------------


async def test_attempts_are_numbered_from_one(spool: Spool) -> None:
    (submission,) = await put(spool)
    for number in (1, 2, 3):
        assert await spool.begin_attempt(submission.id, NOON, f"c{number}") == number
        await spool.finish_attempt(submission.id, delayed(number), Queued(NOON))
    shown = await spool.show(submission.queue_id)
    assert shown is not None
    assert shown.parts[0].history == (delayed(1), delayed(2), delayed(3))


async def test_nothing_is_attempted_twice_at_once(spool: Spool) -> None:
    (submission,) = await put(spool)
    await spool.begin_attempt(submission.id, NOON, "c")
    with pytest.raises(NotQueued):
        await spool.begin_attempt(submission.id, NOON, "d")


async def test_finishing_the_same_attempt_again_changes_nothing(spool: Spool) -> None:
    (submission,) = await put(spool)
    await spool.begin_attempt(submission.id, NOON, "c")
    await spool.finish_attempt(submission.id, relayed(), Done("relayed"))
    await spool.finish_attempt(submission.id, relayed(), Done("relayed"))
    assert len(await spool.log()) == 1


async def test_an_attempt_that_was_never_begun_cannot_be_finished(spool: Spool) -> None:
    (submission,) = await put(spool)
    with pytest.raises(NotQueued):
        await spool.finish_attempt(submission.id, relayed(7), Done("relayed"))
    assert [waiting.submission_id for waiting in await spool.waiting()] == [submission.id]


async def test_an_interrupted_attempt_can_be_finished_after_the_restart(
    tmp_path: Path, clock: FakeClock, journal: Journal
) -> None:
    async with Spool.open(tmp_path, clock, journal, reserve=0) as spool:
        (submission,) = await put(spool)
        await spool.begin_attempt(submission.id, NOON, "client-1")
    async with Spool.open(tmp_path, clock, journal, reserve=0) as spool:
        (crashed,) = await spool.interrupted()
        outcome = attempt(Uncertain(reason="the relay stopped"), crashed.number)
        await spool.finish_attempt(crashed.submission_id, outcome, Queued(NOON))
        assert await spool.interrupted() == []
        assert len(await spool.waiting()) == 1


async def test_what_follows_is_in_the_log_where_the_outcome_does_not_say_it(spool: Spool) -> None:
    (expired,), (odd,) = await put(spool), await put(spool)
    for submission, following in (
        (expired, Done("failed", "5 days are over")),
        (odd, Held("may have been sent")),
    ):
        await spool.begin_attempt(submission.id, NOON, "c")
        await spool.finish_attempt(submission.id, delayed(), following)
    failed = await spool.log(LogFilter(outcome="failed"))
    held = await spool.log(LogFilter(outcome="held"))
    assert [(row.queue_id, row.reason) for row in failed] == [(expired.queue_id, "5 days are over")]
    assert [(row.queue_id, row.reason) for row in held] == [(odd.queue_id, "may have been sent")]


# --- When the disk fails -------------------------------------------------------------------------


@pytest.fixture
def disk() -> FaultyDisk:
    return FaultyDisk()


@pytest.fixture
async def faulty(
    tmp_path: Path, clock: FakeClock, journal: Journal, disk: FaultyDisk
) -> AsyncIterator[Spool]:
    async with Spool.open(tmp_path, clock, journal, reserve=0, disk=disk) as spool:
        yield spool
        disk.heal()
    assert open_descriptors(tmp_path) == []


@pytest.mark.parametrize("step", ["create", "write", "sync", "sync_directory", "begin", "commit"])
@pytest.mark.parametrize("size", [100, 200_000])
async def test_a_full_disk_refuses_the_message_and_leaves_nothing_of_it(
    faulty: Spool, disk: FaultyDisk, tmp_path: Path, step: Step, size: int
) -> None:
    (kept,) = await put(faulty, bytes(size))
    files = sorted(file.name for file in (tmp_path / "bodies").iterdir())
    in_database = step in ("begin", "commit")
    if not in_database and size == 100:
        return  # no such step for a small message
    disk.fail(step, database_full() if in_database else no_room())

    with pytest.raises(StorageUnavailable, match=r"Free some space there; .* goes on by itself"):
        await put(faulty, bytes(size))

    assert sorted(file.name for file in (tmp_path / "bodies").iterdir()) == files
    assert [row.submission_id for row in await faulty.queue()] == [kept.id]
    await put(faulty, bytes(size))  # the cause is gone
    assert len(await faulty.waiting()) == 2


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
        async with Spool.open(tmp_path, clock, journal, reserve=0, disk=disk) as spool:
            disk.fail_always(step, error)
            body = spool.incoming()
            known = weakref.ref(body)
            await body.write(bytes(100))
            with suppress(StorageUnavailable):
                await spool.put(a_message(), body)
            del body
            disk.heal()
            assert await spool.waiting() == []  # the writer has turned to something else
        assert known() is None


async def test_while_the_database_is_not_there_under_its_name_no_mail_is_taken(
    tmp_path: Path, clock: FakeClock, journal: Journal
) -> None:
    async with Spool.open(tmp_path, clock, journal, reserve=0) as spool:
        (kept,) = await put(spool)
        (tmp_path / "spool.db").rename(tmp_path / "elsewhere")
        await clock.advance(timedelta(seconds=1))
        with pytest.raises(StorageUnavailable, match="No such file"):
            await put(spool)
        assert await spool.load(kept.id) == kept  # what is ours goes on
        (tmp_path / "elsewhere").rename(tmp_path / "spool.db")
        await put(spool)


async def test_where_no_thread_can_be_started_large_mail_is_taken_all_the_same(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_threads_left(monkeypatch)
    (submission,) = await put(spool, LARGE)
    assert await spool.load(submission.id) == submission
    assert len(await spool.queue()) == 1


async def test_the_body_of_a_doubtful_commit_outlives_it(
    faulty: Spool, disk: FaultyDisk, tmp_path: Path
) -> None:
    disk.fail("commit", database_not_synced())
    with pytest.raises(StorageUnavailable):
        await put(faulty, LARGE)
    assert len(list((tmp_path / "bodies").iterdir())) == 1
    await put(faulty, b"small")
    assert list((tmp_path / "bodies").iterdir()) == []


async def test_an_outcome_that_could_not_be_kept_can_be_told_again(
    faulty: Spool, disk: FaultyDisk
) -> None:
    (submission,) = await put(faulty)
    await faulty.begin_attempt(submission.id, NOON, "c")
    disk.fail("commit", database_full())
    with pytest.raises(StorageUnavailable):
        await faulty.finish_attempt(submission.id, relayed(), Done("relayed"))
    await faulty.finish_attempt(submission.id, relayed(), Done("relayed"))
    assert [row.what for row in await faulty.log()] == ["relayed"]


@pytest.mark.parametrize("step", ["begin", "commit"])
async def test_without_memory_mail_is_refused_and_an_outcome_can_be_told_again(
    faulty: Spool, disk: FaultyDisk, step: Step
) -> None:
    (submission,) = await put(faulty)
    await faulty.begin_attempt(submission.id, NOON, "c")
    disk.fail(step, MemoryError(), times=2)
    with pytest.raises(StorageUnavailable, match="not enough memory"):
        await put(faulty)
    with pytest.raises(StorageUnavailable, match="not enough memory"):
        await faulty.finish_attempt(submission.id, relayed(), Done("relayed"))
    await faulty.finish_attempt(submission.id, relayed(), Done("relayed"))
    assert await faulty.interrupted() == []


async def test_a_body_file_that_cannot_be_removed_is_swept_at_the_next_start(
    tmp_path: Path, clock: FakeClock, journal: Journal, disk: FaultyDisk
) -> None:
    async with Spool.open(tmp_path, clock, journal, reserve=0, disk=disk) as spool:
        (submission,) = await put(spool, LARGE)
        disk.fail("unlink", io_error())
        await spool.delete(submission.id, "no")
        assert len(list((tmp_path / "bodies").iterdir())) == 1
    async with Spool.open(tmp_path, clock, journal, reserve=0):
        assert list((tmp_path / "bodies").iterdir()) == []


# --- When the caller goes away -------------------------------------------------------------------


def held_at_commit(disk: FaultyDisk) -> tuple[asyncio.Event, ThreadEvent]:
    """The writer stops at its commits: the first event says so, the second lets it go on."""
    loop, reached, go_on = asyncio.get_running_loop(), asyncio.Event(), ThreadEvent()

    def before(step: Step) -> None:
        if step == "commit":
            loop.call_soon_threadsafe(reached.set)
            go_on.wait(10)

    disk.before = before
    return reached, go_on


@pytest.mark.parametrize("octets", [b"small", LARGE])
async def test_a_cancelled_put_leaves_nothing(
    faulty: Spool, disk: FaultyDisk, tmp_path: Path, octets: bytes
) -> None:
    body = faulty.incoming()
    await body.write(octets)
    reached, go_on = held_at_commit(disk)
    putting = asyncio.create_task(faulty.put(a_message(), body))
    await reached.wait()
    putting.cancel()
    await settle()
    putting.cancel()  # impatient
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await putting

    await body.discard()
    assert await faulty.waiting() == []
    assert await faulty.queue() == []
    assert list((tmp_path / "bodies").iterdir()) == []


async def test_a_closed_spool_takes_nothing(
    tmp_path: Path, clock: FakeClock, journal: Journal
) -> None:
    async with Spool.open(tmp_path, clock, journal, reserve=0) as spool:
        body = spool.incoming()
    with pytest.raises(StorageUnavailable, match="closed"):
        await spool.put(a_message(), body)


async def test_many_at_once_are_all_kept_each_with_its_own(spool: Spool) -> None:
    async def one(n: int) -> Submission:
        paths = tuple(Address(f"r{n}-{i}", "example.org") for i in range(1 + n % 4))
        (submission,) = await put(
            spool, b"%d\r\n" % n * (1 + n % 30_000), a_message((plan(), paths))
        )
        return submission

    put_all = await asyncio.gather(*(one(n) for n in range(300)))

    assert len({submission.queue_id for submission in put_all}) == 300
    for submission in put_all:
        assert await spool.load(submission.id) == submission


# --- Housekeeping --------------------------------------------------------------------------------


async def test_housekeeping_prunes_and_tidies_when_nothing_happens(
    spool: Spool, clock: FakeClock, tmp_path: Path
) -> None:
    (submission,) = await put(spool)
    await spool.delete(submission.id, "no")
    wal = tmp_path / "spool" / "spool.db-wal"
    keeping = asyncio.create_task(spool.keep_house(timedelta(days=90)))
    await clock.advance(timedelta(0))
    assert wal.stat().st_size > 0

    async with asyncio.timeout(10):
        while wal.stat().st_size:
            await clock.advance(timedelta(seconds=30))
    assert await spool.show(submission.queue_id) is not None
    async with asyncio.timeout(10):
        while await spool.show(submission.queue_id) is not None:
            await clock.advance(timedelta(days=91))
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping


async def test_housekeeping_survives_a_full_disk(
    faulty: Spool, disk: FaultyDisk, clock: FakeClock, entries: list[Entry]
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
    spool: Spool, clock: FakeClock, entries: list[Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It shares a TaskGroup with all the rest: an exception there would end the relay."""
    prune, mistakes = spool.prune, [ValueError("nonsense")]

    async def mistaken(keep: timedelta) -> int:
        if mistakes:
            raise mistakes.pop()
        return await prune(keep)

    monkeypatch.setattr(spool, "prune", mistaken)
    (submission,) = await put(spool)
    await spool.delete(submission.id, "no")
    keeping = asyncio.create_task(spool.keep_house(timedelta(days=90)))
    async with asyncio.timeout(10):
        while await spool.show(submission.queue_id) is not None:
            await clock.advance(timedelta(days=91))
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping
    (told,) = [entry for entry in entries if entry.event == "spool-housekeeping"]
    assert (told.level, told.fields) == ("error", {"reason": "ValueError('nonsense')"})


async def test_a_check_that_cannot_begin_is_told_and_begun_again(
    faulty: Spool,
    disk: FaultyDisk,
    clock: FakeClock,
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
    monkeypatch.setattr(check, "AT_ONCE", 0)
    monkeypatch.setattr(disk, "connect_to_read", connected)
    keeping = asyncio.create_task(faulty.keep_house(timedelta(days=90)))
    await clock.advance(timedelta(0))
    assert [entry.event for entry in entries] == ["spool-housekeeping"]
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


async def a_report(spool: Spool, octets: bytes) -> tuple[NewMessage, IncomingBody]:
    body = spool.incoming()
    await body.write(octets)
    return a_message(sender=None, subject="Not relayed"), body


@pytest.mark.parametrize("octets", [b"short", LARGE])
async def test_a_failure_and_the_report_about_it_are_one_transaction(
    faulty: Spool, disk: FaultyDisk, tmp_path: Path, octets: bytes
) -> None:
    (submission,) = await put(faulty)
    await faulty.begin_attempt(submission.id, NOON, "c")
    disk.fail("commit", database_full())
    with pytest.raises(StorageUnavailable):
        await faulty.finish_attempt(
            submission.id, gone(), Done("failed"), await a_report(faulty, octets)
        )
    assert len(await faulty.interrupted()) == 1
    assert await faulty.waiting() == []
    assert list((tmp_path / "bodies").iterdir()) == []

    (report,) = await faulty.finish_attempt(
        submission.id, gone(), Done("failed"), await a_report(faulty, octets)
    )

    assert [waiting.submission_id for waiting in await faulty.waiting()] == [report.id]
    assert await faulty.load(report.id) == report
    assert report.envelope.reverse_path is None


async def test_telling_an_outcome_again_reports_it_once(faulty: Spool, tmp_path: Path) -> None:
    (submission,) = await put(faulty)
    await faulty.begin_attempt(submission.id, NOON, "c")
    for expected in (1, 0):
        report = await a_report(faulty, LARGE)
        answer = await faulty.finish_attempt(submission.id, gone(), Done("failed"), report)
        assert len(answer) == expected
    assert len(await faulty.waiting()) == 1
    assert len(list((tmp_path / "bodies").iterdir())) == 1


async def test_a_report_about_an_unknown_attempt_leaves_nothing(
    faulty: Spool, tmp_path: Path
) -> None:
    with pytest.raises(NotQueued):
        await faulty.finish_attempt(7, gone(), Done("failed"), await a_report(faulty, LARGE))
    assert list((tmp_path / "bodies").iterdir()) == []


async def test_a_cancelled_report_is_kept_with_its_outcome(
    faulty: Spool, disk: FaultyDisk, tmp_path: Path
) -> None:
    (submission,) = await put(faulty)
    await faulty.begin_attempt(submission.id, NOON, "c")
    report = await a_report(faulty, LARGE)
    reached, go_on = held_at_commit(disk)
    finishing = asyncio.create_task(
        faulty.finish_attempt(submission.id, gone(), Done("failed"), report)
    )
    await reached.wait()
    finishing.cancel()
    await settle()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await finishing
    (waiting,) = await faulty.waiting()
    loaded = await faulty.load(waiting.submission_id)
    assert isinstance(loaded.body, FileBody)
    assert loaded.body.path.read_bytes() == LARGE
