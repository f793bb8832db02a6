"""A real file system that is really full, really read-only, and a process without descriptors."""

import os
import resource
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from graphrelay.journal import Journal
from graphrelay.model import Done, StorageUnavailable, Submission
from graphrelay.spool.queries import QueueFilter
from graphrelay.spool.sqlite import SqliteSpool
from tests.clock import FakeClock
from tests.spool.mail import NOON, put, relayed, waiting_in
from tests.tools import machine_cannot, needs_root


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def journal(clock: FakeClock) -> Journal:
    return Journal(clock)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """64 megabytes, of which the spool leaves 32 to the mail that it has."""
    place = tmp_path / "disk"
    place.mkdir()
    needs_root()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", place], capture_output=True, text=True
    )
    if made.returncode:
        machine_cannot("mounts", made.stderr)
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.fixture
async def spool(small_disk: Path, clock: FakeClock, journal: Journal) -> AsyncIterator[SqliteSpool]:
    async with SqliteSpool.open(small_disk / "spool", clock, journal) as spool:
        yield spool


async def fill(spool: SqliteSpool, size: int) -> list[Submission]:
    """As many messages as are accepted."""
    taken: list[Submission] = []
    while True:
        try:
            taken += await put(spool, os.urandom(size))
        except StorageUnavailable as error:
            assert "the relay resumes by itself" in str(error)  # noqa: PT017
            return taken


def fill_up(path: Path) -> None:
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass


def mount_again(place: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", place], check=True)


async def relay(spool: SqliteSpool, submission: Submission) -> None:
    number = await spool.begin(submission, NOON, "c")
    await spool.finish(submission, relayed(number), Done("relayed"))


@pytest.mark.parametrize("size", [60_000, 100_000])
async def test_a_full_disk_refuses_new_mail_relays_the_old_and_takes_new_again(
    spool: SqliteSpool, size: int
) -> None:
    taken = await fill(spool, size)
    assert len(taken) > 200
    assert await fill(spool, size) == []

    for submission in taken:
        assert await spool.load(submission.id) == submission
        await relay(spool, submission)
    await spool.tidy()

    assert await waiting_in(spool) == []
    assert len(await fill(spool, size)) > 100


@pytest.mark.parametrize("size", [60_000, 100_000])
async def test_a_disk_filled_by_others_costs_nothing_that_was_accepted(
    small_disk: Path, spool: SqliteSpool, size: int
) -> None:
    (before,) = await put(spool, os.urandom(size))
    others = small_disk / "others"
    fill_up(others)
    for _ in range(3):
        with pytest.raises(StorageUnavailable):
            await put(spool, os.urandom(size))
    assert await spool.load(before.id) == before
    assert [row.submission_id for row in await spool.read(QueueFilter())] == [before.id]

    others.unlink()

    await relay(spool, before)
    (after,) = await put(spool, os.urandom(size))
    assert await spool.load(after.id) == after


async def test_a_disk_that_turns_read_only_refuses_and_recovers(
    small_disk: Path, clock: FakeClock, journal: Journal
) -> None:
    async with SqliteSpool.open(small_disk / "spool", clock, journal, reserve=0) as spool:
        (before,) = await put(spool)
    mount_again(small_disk, "ro")
    with pytest.raises(StorageUnavailable, match="Read-only file system"):
        async with SqliteSpool.open(small_disk / "spool", clock, journal):
            pass
    mount_again(small_disk, "rw")
    async with SqliteSpool.open(small_disk / "spool", clock, journal, reserve=0) as spool:
        assert await spool.load(before.id) == before


@contextmanager
def no_descriptors_left() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(entry.name) for entry in Path("/proc/self/fd").iterdir())
    blockers: list[int] = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, hard))
    try:
        while True:
            blockers.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        yield
    finally:
        for descriptor in blockers:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_without_descriptors_large_mail_is_refused_and_small_mail_goes_on(
    tmp_path: Path, clock: FakeClock, journal: Journal
) -> None:
    async with SqliteSpool.open(tmp_path / "spool", clock, journal, reserve=0) as spool:
        await put(spool)
        with no_descriptors_left():
            with pytest.raises(StorageUnavailable, match="Too many open files"):
                await put(spool, bytes(100_000))
            await put(spool)
        await put(spool, bytes(100_000))
        assert len(await waiting_in(spool)) == 3
