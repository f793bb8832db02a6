"""A damaged database: what can be read is recovered, the rest is put aside and reported."""

import asyncio
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from graphrelay.journal import Entry, Journal
from graphrelay.model import Address, Done, Held, StorageUnavailable, Submission
from graphrelay.spool.errors import SpoolTooNew
from graphrelay.spool.queries import QueueFilter, RefusalFilter
from graphrelay.spool.sqlite import Disk, SqliteSpool
from graphrelay.spool.sqlite.startup.check import MARK, Damaged, check_at_start
from graphrelay.spool.sqlite.startup.recovery import readable_rows
from tests.clock import FakeClock
from tests.spool.faulty import FaultyDisk, Step, io_error
from tests.spool.mail import NOON, REFUSED, a_message, plan, put, relayed, waiting_in

PAGE = 4096


@pytest.fixture
async def filled(tmp_path: Path, clock: FakeClock, journal: Journal) -> list[Submission]:
    """A spool with 200 small messages, some large ones and some that were relayed; closed."""

    async def one(n: int) -> Submission:
        paths = (Address(f"r{n}", "example.org"),)
        size = 100_000 if n % 50 == 7 else 3000
        (submission,) = await put(spool, b"%07d" % n * (size // 7), a_message((plan(), paths)))
        if n < 20:
            await spool.begin(submission, NOON, "c")
            await spool.finish(submission, relayed(), Done("relayed"))
        return submission

    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0) as spool:
        return (await asyncio.gather(*(one(n) for n in range(200))))[20:]


def page_of(database: Path, table: str) -> int:
    """The root page of a table."""
    with closing(sqlite3.connect(database)) as connection:
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)
        ).fetchone()
    return int(page)


def leaf_of(database: Path, table: str) -> int:
    """A page in the middle of a table."""
    with closing(sqlite3.connect(database)) as connection:
        pages = [
            page
            for (page,) in connection.execute(
                "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf'", (table,)
            )
        ]
    return int(pages[len(pages) // 2])


def overwrite(database: Path, page: int) -> None:
    with database.open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(random.Random(page).randbytes(PAGE))


async def recovered(
    tmp_path: Path, clock: FakeClock, journal: Journal, filled: list[Submission]
) -> tuple[set[int], set[int]]:
    """The ids of waiting messages, each with its envelope and octets, and of held ones."""
    before = {submission.id: (submission.envelope, submission.body) for submission in filled}
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0) as spool:
        waiting = set(await waiting_in(spool))
        for submission in waiting:
            loaded = await spool.load(submission)
            assert (loaded.envelope, loaded.body) == before[submission]
        rows = await spool.read(QueueFilter())
        held = {row.submission_id for row in rows if isinstance(row.state, Held)}
        await put(spool)  # and it works
    with closing(sqlite3.connect(tmp_path / "spool.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    return waiting, held


def aside(tmp_path: Path) -> Path:
    (directory,) = tmp_path.glob("damaged-*")
    return directory


async def test_what_was_refused_is_recovered_too(
    tmp_path: Path, clock: FakeClock, journal: Journal, filled: list[Submission]
) -> None:
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0) as spool:
        await spool.note_refusals([REFUSED])
    overwrite(tmp_path / "spool.db", leaf_of(tmp_path / "spool.db", "log"))
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0) as spool:
        assert [row.refusal for row in await spool.read(RefusalFilter())] == [REFUSED]
    assert aside(tmp_path)


@pytest.mark.parametrize("table", ["bodies", "messages", "submissions", "log", "recipients"])
async def test_a_damaged_page_costs_what_stood_in_it(
    tmp_path: Path,
    clock: FakeClock,
    journal: Journal,
    entries: list[Entry],
    filled: list[Submission],
    table: str,
) -> None:
    database = tmp_path / "spool.db"
    overwrite(database, leaf_of(database, table))

    waiting, held = await recovered(tmp_path, clock, journal, filled)

    assert [entry.event for entry in entries][:2] == ["spool-damaged", "spool-recovered"]
    told = entries[1].fields
    assert told["waiting"] == len(waiting)
    assert told["kept_aside"] == str(aside(tmp_path))
    everything = {submission.id for submission in filled}
    lost = everything - waiting - held
    match table:
        case "bodies":
            assert held
            assert not lost
        case "submissions":
            names = {submission.queue_id for submission in filled if submission.id in lost}
            assert lost
            assert len(lost) < 20
            assert set(told["lost_without_envelope"] or ()) == names  # type: ignore[arg-type]
        case "messages":  # its recipients are known, and so is its content
            assert not lost
        case _:
            assert waiting == everything
    assert len(waiting) > 150


async def test_attempts_that_were_in_flight_count_where_the_octets_are_lost(
    tmp_path: Path, clock: FakeClock, journal: Journal, filled: list[Submission]
) -> None:
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0) as spool:
        for submission in filled:
            await spool.begin(submission, NOON, "c")
    overwrite(tmp_path / "spool.db", leaf_of(tmp_path / "spool.db", "bodies"))
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0) as spool:
        rows = await spool.read(QueueFilter(state="held"))
    assert rows
    assert {row.attempts for row in rows} == {1}


async def test_mail_without_its_name_gets_a_new_one_and_is_sent(
    tmp_path: Path, clock: FakeClock, journal: Journal, filled: list[Submission]
) -> None:
    database = tmp_path / "spool.db"
    overwrite(database, leaf_of(database, "messages"))
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0) as spool:
        renamed = 0
        for submission in filled:
            loaded = await spool.load(submission.id)
            assert (loaded.envelope, loaded.body) == (submission.envelope, submission.body)
            renamed += loaded.queue_id != submission.queue_id
        assert renamed


async def test_the_damaged_set_is_kept_as_it_was(
    tmp_path: Path, clock: FakeClock, journal: Journal, filled: list[Submission]
) -> None:
    database = tmp_path / "spool.db"
    overwrite(database, leaf_of(database, "submissions"))
    before = database.read_bytes()

    waiting, _ = await recovered(tmp_path, clock, journal, filled)

    assert (aside(tmp_path) / "spool.db").read_bytes() == before
    large = [s for s in filled if s.size > 65_536]
    lost = [s for s in large if s.id not in waiting]
    assert len(list((tmp_path / "bodies").iterdir())) == len(large) - len(lost)
    assert len(list(aside(tmp_path).glob("*.body"))) == len(lost)
    assert aside(tmp_path).stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("what", ["header", "schema", "not a database", "empty"])
async def test_where_nothing_can_be_read_all_is_put_aside_and_the_relay_starts(
    tmp_path: Path,
    clock: FakeClock,
    journal: Journal,
    entries: list[Entry],
    filled: list[Submission],
    what: str,
) -> None:
    database = tmp_path / "spool.db"
    match what:
        case "header":
            with database.open("r+b") as file:
                file.write(b"\0" * 100)
        case "schema":
            overwrite(database, 1)
        case "not a database":
            database.write_bytes(b"Dear diary, " * 1000)
        case "empty":
            database.write_bytes(b"")
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0) as spool:
        assert await waiting_in(spool) == []
        await put(spool)
    if what == "empty":  # a sound database without any table, as SQLite sees it
        return
    assert [entry.event for entry in entries] == ["spool-damaged", "spool-recovered"]
    assert len(list(aside(tmp_path).glob("*.body"))) == 3


async def test_what_stands_in_the_wal_is_recovered_too(
    tmp_path: Path, clock: FakeClock, journal: Journal
) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    async with SqliteSpool.open(tmp_path / "spool", clock, journal, reserve=0) as spool:
        for n in range(100):
            await put(spool, b"%d" % n * 1000)
        await spool.tidy()
        submissions = [(await put(spool))[0] for _ in range(10)]
        for name in ("spool.db", "spool.db-wal"):  # as a crash leaves them
            (copy / name).write_bytes((tmp_path / "spool" / name).read_bytes())
    overwrite(copy / "spool.db", leaf_of(tmp_path / "spool" / "spool.db", "bodies"))
    async with SqliteSpool.open(copy, clock, journal, reserve=0) as spool:
        for submission in submissions:
            assert await spool.load(submission.id) == submission


async def test_a_crash_anywhere_in_a_recovery_loses_nothing_more(
    tmp_path: Path, clock: FakeClock, journal: Journal, filled: list[Submission]
) -> None:
    database = tmp_path / "spool.db"
    overwrite(database, leaf_of(database, "submissions"))
    expected: set[int] | None = None
    for stop_at in range(1, 100):
        disk = StoppingDisk(stop_at)
        try:
            async with SqliteSpool.open(tmp_path, clock, journal, reserve=0, disk=disk) as spool:
                expected = set(await waiting_in(spool))
        except StopError:
            continue
        break
    assert stop_at > 10  # it was stopped at every step in turn
    assert expected is not None
    assert len(expected) > 150
    large = {s.id for s in filled if s.size > 65_536}
    kept = len(list((tmp_path / "bodies").iterdir()))
    put_aside = {file.name for file in tmp_path.glob("damaged-*/*.body")}
    assert kept == len(expected & large)
    assert len(put_aside) == len(large - expected)


class StopError(BaseException):
    """The process ends here."""


class StoppingDisk(FaultyDisk):
    def __init__(self, stop_at: int) -> None:
        super().__init__()

        def before(step: Step) -> None:
            if len(self.steps) == stop_at:
                raise StopError

        self.before = before


@pytest.fixture
def damaged(tmp_path: Path, filled: list[Submission]) -> list[Submission]:
    """The same with a page of bodies broken."""
    database = tmp_path / "spool.db"
    overwrite(database, leaf_of(database, "bodies"))
    return filled


async def test_damage_that_shows_while_it_runs_is_marked_and_repaired_at_the_next_start(
    tmp_path: Path,
    clock: FakeClock,
    journal: Journal,
    entries: list[Entry],
    damaged: list[Submission],
) -> None:
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0, check_at_once=0) as spool:
        failed = 0
        for submission in damaged:
            try:
                assert await spool.load(submission.id) == submission
            except StorageUnavailable as error:
                assert "Restart the relay" in str(error)  # noqa: PT017
                failed += 1
        assert 0 < failed < 20
        assert [entry.event for entry in entries] == ["spool-damaged"]
        assert (tmp_path / MARK).exists()
    entries.clear()
    waiting, held = await recovered(tmp_path, clock, journal, damaged)
    assert len(held) == failed
    assert waiting | held == {submission.id for submission in damaged}
    assert not (tmp_path / MARK).exists()


async def test_damage_on_a_disk_that_cannot_be_marked_stops_nobody_else(
    tmp_path: Path,
    clock: FakeClock,
    journal: Journal,
    entries: list[Entry],
    damaged: list[Submission],
) -> None:
    disk = FaultyDisk()
    async with SqliteSpool.open(
        tmp_path, clock, journal, reserve=0, disk=disk, check_at_once=0
    ) as spool:
        disk.fail("create", io_error(), times=100)
        loads = [spool.load(submission.id) for submission in damaged]
        loaded = await asyncio.gather(*loads, return_exceptions=True)
    failed = [one for one in loaded if isinstance(one, StorageUnavailable)]
    assert 0 < len(failed) < 20
    assert [one for one in loaded if one not in failed] == [
        submission for submission, one in zip(damaged, loaded, strict=True) if one not in failed
    ]
    assert {entry.event for entry in entries} == {"spool-damaged"}
    assert "Input/output error" in str(entries[0].fields["reason"])


async def test_a_large_database_is_checked_behind_the_work(
    tmp_path: Path,
    clock: FakeClock,
    journal: Journal,
    entries: list[Entry],
    filled: list[Submission],
) -> None:
    overwrite(tmp_path / "spool.db", leaf_of(tmp_path / "spool.db", "log"))
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0, check_at_once=0) as spool:
        await spool.verify()
        assert [entry.event for entry in entries] == []
        (waiting, *_) = await waiting_in(spool)
        assert waiting
    assert (tmp_path / MARK).exists()
    assert [entry.event for entry in entries] == ["spool-damaged"]


async def test_a_sound_database_is_checked_behind_the_work_without_a_word(
    tmp_path: Path,
    clock: FakeClock,
    journal: Journal,
    entries: list[Entry],
    filled: list[Submission],
) -> None:
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0) as spool:
        await spool.verify()
    assert entries == []
    assert not (tmp_path / MARK).exists()


async def test_a_damaged_database_that_is_too_new_is_left_alone(
    tmp_path: Path, clock: FakeClock, journal: Journal, filled: list[Submission]
) -> None:
    database = tmp_path / "spool.db"
    leaf = leaf_of(database, "bodies")
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA user_version = 99")
    overwrite(database, leaf)
    before = database.read_bytes()
    with pytest.raises(SpoolTooNew):
        async with SqliteSpool.open(tmp_path, clock, journal):
            pass
    assert database.read_bytes() == before


def test_every_row_that_can_be_read_is_found_between_many_damaged_places(tmp_path: Path) -> None:
    database = tmp_path / "db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, words TEXT)")
        rows = ((n * 3, "x" * 300) for n in range(2000))
        connection.executemany("INSERT INTO t VALUES (?, ?)", rows)
        connection.commit()
        leaves = connection.execute(
            "SELECT pageno, ncell FROM dbstat WHERE name = 't' AND pagetype = 'leaf'"
        ).fetchall()
    damaged = leaves[0:1] + leaves[10:12] + leaves[30:31] + leaves[-1:]
    for page, _ in damaged:
        overwrite(database, page)
    with closing(sqlite3.connect(database)) as connection:
        found = [row[0] for row in readable_rows(connection, "t", "id")]
    assert found == sorted(set(found))
    assert len(found) >= 2000 - sum(cells for _, cells in damaged)


def test_the_check_names_what_it_found(tmp_path: Path) -> None:
    (tmp_path / "db").write_bytes(b"nothing of the kind" * 1000)
    assert check_at_start(tmp_path / "db", Disk()) == Damaged("file is not a database", None)
