"""A snapshot is the spool at one moment, whatever changes meanwhile."""

import errno
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from graphrelay.journal import Journal
from graphrelay.model import Done, StorageUnavailable, Submission
from graphrelay.spool.queries import QueueFilter
from graphrelay.spool.sqlite import Disk, SqliteSpool
from graphrelay.spool.sqlite.snapshot import STAGE, snapshot
from tests.clock import FakeClock
from tests.spool.mail import NOON, put, relayed

LARGE = b"0123456789abcde\n" * 6250


def bodies(directory: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((directory / "bodies").iterdir())]


def waiting(stage: Path) -> int:
    with closing(sqlite3.connect(stage / "spool.db")) as connection:
        [count] = connection.execute("SELECT count(*) FROM submissions").fetchone()
    return int(count)


async def relay(spool: SqliteSpool, submission: Submission) -> None:
    number = await spool.begin(submission, NOON, "c")
    await spool.finish(submission, relayed(number), Done("relayed"))


async def test_it_has_what_waits_with_its_bodies_and_keeps_them(
    tmp_path: Path, clock: FakeClock, journal: Journal
) -> None:
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0) as spool:
        await put(spool)
        (large,) = await put(spool, LARGE)
        with snapshot(tmp_path) as stage:
            await relay(spool, large)
            assert bodies(tmp_path) == []
            assert bodies(stage) == [LARGE]
            assert waiting(stage) == 2
        assert not stage.exists()
        assert len(await spool.read(QueueFilter())) == 1


async def test_a_stopped_spool_can_be_copied_and_stays_as_it_is(
    tmp_path: Path, clock: FakeClock, journal: Journal
) -> None:
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0) as spool:
        await put(spool, LARGE)
    with snapshot(tmp_path) as stage:
        assert (waiting(stage), bodies(stage)) == (1, [LARGE])
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0) as spool:
        assert len(await spool.read(QueueFilter())) == 1


class Between(Disk):
    """Does something just before the database is copied."""

    def __init__(self, *steps: object) -> None:
        self.steps = list(steps)

    def connect_to_read(self, path: Path) -> sqlite3.Connection:
        if self.steps:
            step = self.steps.pop(0)
            assert callable(step)
            step()
        return super().connect_to_read(path)


async def test_a_body_that_came_after_the_links_is_in_it(
    tmp_path: Path, clock: FakeClock, journal: Journal
) -> None:
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0) as spool:
        await put(spool, LARGE)
        (late,) = (tmp_path / "bodies").iterdir()
        hidden = tmp_path / "hidden"
        late.rename(hidden)
        with snapshot(tmp_path, Between(lambda: hidden.rename(late))) as stage:
            assert bodies(stage) == [LARGE]


async def test_a_body_that_came_and_went_in_between_is_not_missed(
    tmp_path: Path, clock: FakeClock, journal: Journal
) -> None:
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0) as spool:
        await put(spool, LARGE)
        (body,) = (tmp_path / "bodies").iterdir()
        octets = body.read_bytes()
        body.unlink()  # the copy contains its row all the same
        again = Between(lambda: None, lambda: body.write_bytes(octets))
        with snapshot(tmp_path, again) as stage:
            assert bodies(stage) == [LARGE]
        body.unlink()
        with pytest.raises(StorageUnavailable, match="try again"), snapshot(tmp_path):
            pass


async def test_what_a_crash_left_of_another_is_removed_and_two_at_once_are_refused(
    tmp_path: Path, clock: FakeClock, journal: Journal
) -> None:
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0) as spool:
        await put(spool)
    left = tmp_path / STAGE
    (left / "bodies").mkdir(parents=True)
    (left / "bodies" / "x.body").touch()
    (left / "spool.db").write_bytes(b"half")
    with snapshot(tmp_path) as stage:
        assert (waiting(stage), bodies(stage)) == (1, [])
        with pytest.raises(StorageUnavailable, match="Another backup"), snapshot(tmp_path):
            pass
        assert waiting(stage) == 1


async def test_a_damaged_database_is_not_backed_up(
    tmp_path: Path, clock: FakeClock, journal: Journal
) -> None:
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0) as spool:
        for _ in range(200):
            await put(spool, bytes(3000))
    with (tmp_path / "spool.db").open("r+b") as database:
        database.seek(100 * 4096)
        database.write(os.urandom(50 * 4096))
    with pytest.raises(StorageUnavailable), snapshot(tmp_path):
        pass
    assert not (tmp_path / STAGE).exists()


async def test_a_full_disk_elsewhere_is_not_taken_for_one_of_the_spool(tmp_path: Path) -> None:
    async with SqliteSpool.open(tmp_path, FakeClock(), Journal(FakeClock())):
        pass
    with pytest.raises(OSError, match="elsewhere"), snapshot(tmp_path):
        raise OSError(errno.ENOSPC, "elsewhere")
    assert not (tmp_path / STAGE).exists()
