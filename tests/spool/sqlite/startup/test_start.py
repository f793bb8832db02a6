"""Whatever the process was doing when it died, the next start repairs it."""

import sqlite3
from pathlib import Path

import pytest

from graphrelay.file_access import FileUser
from graphrelay.journal import Entry, Journal
from graphrelay.model import Held, StorageUnavailable, Submission
from graphrelay.spool.errors import MailLost
from graphrelay.spool.queries import QueueFilter
from graphrelay.spool.sqlite import Disk, SqliteSpool
from graphrelay.spool.sqlite.files.bodies import FileBody
from tests.clock import FakeClock
from tests.spool.faulty import FaultyDisk, database_full, no_room
from tests.spool.mail import ANNA, BERT, NOON, a_message, plan, put, waiting_in

LARGE = bytes(100_000)


@pytest.fixture
async def large(tmp_path: Path, clock: FakeClock, journal: Journal) -> Submission:
    """A large message in a spool that is closed again."""
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0) as spool:
        (submission,) = await put(spool, LARGE)
    return submission


def file_of(submission: Submission) -> Path:
    assert isinstance(submission.body, FileBody)
    return submission.body.path


async def test_everything_is_closed_to_others(
    tmp_path: Path, clock: FakeClock, journal: Journal
) -> None:
    directory = tmp_path / "made" / "spool"
    async with SqliteSpool.open(directory, clock, journal, reserve=0) as spool:
        await put(spool, LARGE)
        for path in (directory, *directory.rglob("*")):
            assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


async def test_a_directory_that_was_open_to_others_is_closed(
    tmp_path: Path, clock: FakeClock, journal: Journal
) -> None:
    tmp_path.chmod(0o755)
    async with SqliteSpool.open(tmp_path, clock, journal):
        assert tmp_path.stat().st_mode & 0o777 == 0o700


async def test_a_body_file_without_a_row_is_swept(
    tmp_path: Path, clock: FakeClock, journal: Journal, entries: list[Entry], large: Submission
) -> None:
    (tmp_path / "bodies" / "0123.body").write_bytes(b"12345")
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0) as spool:
        assert list((tmp_path / "bodies").iterdir()) == [file_of(large)]
        assert await spool.load(large.id) == large
    (entry,) = entries
    assert (entry.event, entry.fields) == ("spool-swept", {"files": 1, "octets": 5})


@pytest.mark.parametrize("left", [None, LARGE[:-1]])
async def test_mail_whose_file_is_gone_or_cut_short_is_held_and_the_rest_goes_on(
    tmp_path: Path,
    clock: FakeClock,
    journal: Journal,
    entries: list[Entry],
    large: Submission,
    left: bytes | None,
) -> None:
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0) as spool:
        (other,) = await put(spool, LARGE)
    if left is None:
        file_of(large).unlink()
    else:
        file_of(large).write_bytes(left)

    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0) as spool:
        assert await waiting_in(spool) == [other.id]
        (row,) = [row for row in await spool.read(QueueFilter()) if row.submission_id == large.id]
    assert isinstance(row.state, Held)
    assert str(file_of(large)) in row.state.reason
    (entry,) = entries
    assert (entry.event, entry.queue_id) == ("held", large.queue_id)


async def test_a_file_that_goes_while_the_relay_runs_is_noticed_when_it_is_loaded(
    tmp_path: Path, clock: FakeClock, journal: Journal, entries: list[Entry]
) -> None:
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0) as spool:
        parts = await put(spool, LARGE, a_message((plan(), (ANNA,)), (plan(), (BERT,))))
        file_of(parts[0]).unlink()
        with pytest.raises(MailLost, match="missing"):
            await spool.load(parts[0].id)
        assert [entry.queue_id for entry in entries] == [parts[0].queue_id]
        assert await waiting_in(spool) == [parts[1].id]


@pytest.mark.parametrize("restarted", [False, True])
async def test_an_attempt_at_mail_whose_file_went_meanwhile_counts(
    tmp_path: Path, clock: FakeClock, journal: Journal, large: Submission, restarted: bool
) -> None:
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0) as spool:
        await spool.begin(large, NOON, "c")
        file_of(large).unlink()
        if not restarted:
            with pytest.raises(MailLost):
                await spool.load(large.id)
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0) as spool:
        (row,) = await spool.read(QueueFilter())
    assert isinstance(row.state, Held)
    assert row.attempts == 1


async def test_while_the_folder_of_bodies_is_away_nothing_in_it_counts_as_lost(
    tmp_path: Path, clock: FakeClock, journal: Journal
) -> None:
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0) as spool:
        (submission,) = await put(spool, LARGE)
        folder = file_of(submission).parent
        folder.rename(tmp_path / "elsewhere")
        with pytest.raises(StorageUnavailable, match="Look at the disk and its mount"):
            await spool.load(submission.id)
        (tmp_path / "elsewhere").rename(folder)
        assert await spool.load(submission.id) == submission


async def test_a_plan_that_cannot_be_read_holds_its_mail(
    tmp_path: Path, clock: FakeClock, journal: Journal, large: Submission
) -> None:
    connection = sqlite3.connect(tmp_path / "spool.db")
    connection.execute("UPDATE submissions SET plan = '{}'")
    connection.commit()
    connection.close()
    async with SqliteSpool.open(tmp_path, clock, journal, reserve=0) as spool:
        with pytest.raises(MailLost, match="Plan without"):
            await spool.load(large.id)
        assert await waiting_in(spool) == []


async def test_a_disk_without_room_at_start_is_said_in_words_and_leaves_the_mail(
    tmp_path: Path, clock: FakeClock, journal: Journal, large: Submission
) -> None:
    file_of(large).unlink()  # so that the start has something to write
    disk = FaultyDisk()
    disk.fail("commit", database_full())
    with pytest.raises(StorageUnavailable, match="could not be opened"):
        async with SqliteSpool.open(tmp_path, clock, journal, disk=disk):
            pass
    async with SqliteSpool.open(tmp_path, clock, journal) as spool:
        assert len(await spool.read(QueueFilter())) == 1


async def test_a_new_spool_without_room_is_said_in_words(
    tmp_path: Path, clock: FakeClock, journal: Journal
) -> None:
    disk = FaultyDisk()
    disk.fail("create", no_room())
    with pytest.raises(StorageUnavailable, match="No space left"):
        async with SqliteSpool.open(tmp_path, clock, journal, disk=disk):
            pass
    async with SqliteSpool.open(tmp_path, clock, journal):
        pass


async def test_a_place_where_no_directory_can_be_is_said_in_words(
    tmp_path: Path, clock: FakeClock, journal: Journal
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageUnavailable, match="Not a directory"):
        async with SqliteSpool.open(tmp_path / "file" / "spool", clock, journal):
            pass


async def test_a_directory_of_another_user_is_named_with_the_command_that_helps(
    tmp_path: Path, clock: FakeClock, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for a user who may not enter it: root, who runs some of these tests, may."""

    def not_ours(self: Disk, path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    owner = FileUser.this_process()
    other = FileUser("graphrelay", 4711, frozenset())
    monkeypatch.setattr(FileUser, "this_process", lambda: other)
    monkeypatch.setattr(Disk, "make_directory", not_ours)
    with pytest.raises(StorageUnavailable) as refused:
        async with SqliteSpool.open(tmp_path, clock, journal):
            pass
    assert str(refused.value) == (
        f"{tmp_path} belongs to {owner.name}, but the relay runs as graphrelay. Run it as "
        f"{owner.name}, or: sudo chown -R graphrelay {tmp_path}"
    )
