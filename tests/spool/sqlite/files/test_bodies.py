"""Octets on their way in: small ones stay in memory, large ones are files, and nothing remains of
what was not accepted."""

import asyncio
import weakref
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphrelay.model import StorageUnavailable
from graphrelay.spool.sqlite.files.bodies import PIECE, BodyFolder, FileBody, Filed, Kept
from tests.clock import FakeClock
from tests.spool.faulty import (
    FaultyDisk,
    Step,
    io_error,
    no_garbage_collected,
    no_room,
    open_descriptors,
)

LARGE = bytes(range(256)) * 4096  # 1 MiB
LIMIT = 1000


@pytest.fixture
def disk() -> FaultyDisk:
    return FaultyDisk()


@pytest.fixture
async def folder(tmp_path: Path, disk: FaultyDisk) -> AsyncIterator[BodyFolder]:
    folder = BodyFolder(tmp_path, disk, FakeClock(), inline_limit=LIMIT, reserve=0)
    yield folder
    await asyncio.to_thread(folder.close)
    assert open_descriptors(tmp_path) == []


@given(
    st.lists(st.binary(max_size=3000), max_size=6),
    st.integers(0, 5),
    st.integers(1, 5000),
)
@settings(max_examples=60, deadline=None)
async def test_any_split_gives_the_same_octets(
    pieces: list[bytes], repeat: int, largest_write: int
) -> None:
    whole = b"".join(pieces) * (1 + repeat * 40)
    disk = FaultyDisk()
    disk.largest_write = largest_write
    await _same_octets(disk, pieces * (1 + repeat * 40), whole)


async def _same_octets(disk: FaultyDisk, pieces: list[bytes], whole: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        folder = BodyFolder(
            Path(directory), disk, FakeClock(), inline_limit=LIMIT, reserve=0, piece=5000
        )
        body = folder.incoming()
        for piece in pieces:
            await body.write(piece)
        assert body.size == len(whole)
        assert await body.head(700) == whole[:700]
        assert await body.head(7000) == whole[:7000]
        match await body.store():
            case Kept(octets):
                assert len(whole) <= LIMIT
                assert octets == whole
            case Filed(name, size):
                assert len(whole) > LIMIT
                assert size == len(whole)
                assert folder.file(name).read_bytes() == whole
        body.hand_over()
        folder.close()


async def test_up_to_the_limit_nothing_touches_the_disk(
    folder: BodyFolder, disk: FaultyDisk
) -> None:
    body = folder.incoming()
    await body.write(bytes(LIMIT))
    assert await body.store() == Kept(bytes(LIMIT))
    assert disk.steps == []


async def test_a_large_body_is_synced_before_its_directory(
    folder: BodyFolder, disk: FaultyDisk
) -> None:
    body = folder.incoming()
    await body.write(bytes(LIMIT + 1))
    await body.store()
    assert disk.steps == ["create", "write", "sync", "sync_directory"]
    await body.discard()


async def test_files_are_written_in_large_pieces(folder: BodyFolder, disk: FaultyDisk) -> None:
    body = folder.incoming()
    for start in range(0, len(LARGE), 1000):
        await body.write(LARGE[start : start + 1000])
    await body.store()
    assert disk.steps.count("write") <= len(LARGE) // PIECE + 1
    await body.discard()


async def test_discarding_removes_the_file_and_may_be_done_twice(
    folder: BodyFolder, tmp_path: Path
) -> None:
    body = folder.incoming()
    await body.write(LARGE)
    assert len(list(tmp_path.iterdir())) == 1
    await body.discard()
    await body.discard()
    assert list(tmp_path.iterdir()) == []


async def test_discarding_after_it_was_accepted_leaves_it_alone(folder: BodyFolder) -> None:
    body = folder.incoming()
    await body.write(LARGE)
    stored = await body.store()
    body.hand_over()
    await body.discard()
    assert isinstance(stored, Filed)
    assert folder.file(stored.name).read_bytes() == LARGE


async def test_what_was_discarded_takes_no_more(folder: BodyFolder) -> None:
    body = folder.incoming()
    await body.discard()
    with pytest.raises(StorageUnavailable, match="discarded"):
        await body.write(b"x")


@pytest.mark.parametrize("step", ["create", "write"])
async def test_a_full_disk_while_writing_leaves_nothing(
    folder: BodyFolder, disk: FaultyDisk, tmp_path: Path, step: Step
) -> None:
    disk.fail(step, no_room())
    body = folder.incoming()
    with pytest.raises(StorageUnavailable, match="No space left on device"):
        await body.write(LARGE)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StorageUnavailable):
        await body.write(b"more")


@pytest.mark.parametrize("step", ["sync", "sync_directory"])
async def test_a_failed_sync_is_never_tried_again(
    folder: BodyFolder, disk: FaultyDisk, tmp_path: Path, step: Step
) -> None:
    body = folder.incoming()
    await body.write(LARGE)
    disk.fail(step, io_error())
    with pytest.raises(StorageUnavailable, match="Input/output error"):
        await body.store()
    with pytest.raises(StorageUnavailable):
        await body.store()
    assert disk.steps.count(step) == 1
    assert list(tmp_path.iterdir()) == []


async def test_the_last_megabytes_are_kept_for_mail_that_is_ours(
    tmp_path: Path, disk: FaultyDisk
) -> None:
    folder = BodyFolder(tmp_path, disk, FakeClock(), inline_limit=LIMIT, reserve=10 << 20)
    disk.free_octets = (10 << 20) - 1
    small, large = folder.incoming(), folder.incoming()
    await small.write(b"x")
    with pytest.raises(StorageUnavailable, match=r"9 MB are free .* 10 MB are reserved"):
        await small.store()
    with pytest.raises(StorageUnavailable, match="Free some space"):
        await large.write(LARGE)
    assert list(tmp_path.iterdir()) == []
    disk.free_octets = 10 << 20
    again = folder.incoming()
    await again.write(b"x")
    assert await again.store() == Kept(b"x")
    folder.close()


async def test_a_cancelled_writer_never_closes_a_file_that_is_being_written(
    folder: BodyFolder, disk: FaultyDisk, tmp_path: Path
) -> None:
    reached, go_on = asyncio.Event(), Event()
    loop = asyncio.get_running_loop()

    def slow(step: Step) -> None:
        if step == "write":
            loop.call_soon_threadsafe(reached.set)
            go_on.wait(10)

    disk.before = slow
    body = folder.incoming()
    writing = asyncio.create_task(body.write(LARGE))
    await reached.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    discarding = asyncio.create_task(body.discard())
    await asyncio.sleep(0)
    assert open_descriptors(tmp_path) != []  # still in use, so still open
    go_on.set()
    await discarding
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [no_room, MemoryError])
@pytest.mark.parametrize("step", ["create", "write", "sync"])
async def test_nothing_of_a_refused_message_stays_in_memory(
    folder: BodyFolder, disk: FaultyDisk, step: Step, error: Callable[[], BaseException]
) -> None:
    disk.fail_always(step, error)
    with no_garbage_collected():
        body = folder.incoming()
        known = weakref.ref(body)
        try:
            await body.write(LARGE)
            await body.store()
        except (StorageUnavailable, MemoryError):
            await body.discard()
        del body
        await asyncio.to_thread(folder.close)  # its threads no longer use it
        assert known() is None


# --- A body as it is read again ------------------------------------------------------------------


def test_a_body_is_read_at_any_place(tmp_path: Path) -> None:
    path = tmp_path / "body"
    path.write_bytes(b"0123456789")
    body = FileBody(path, 10)
    assert (body.read(2, 5), body.read(8, 50), body.read(10, 20)) == (b"234", b"89", b"")


def test_a_body_that_lost_octets_or_its_file_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "body"
    path.write_bytes(b"short")
    with pytest.raises(StorageUnavailable, match="shorter"):
        FileBody(path, 100).read(0, 50)
    path.unlink()
    with pytest.raises(StorageUnavailable, match="No such file"):
        FileBody(path, 100).read(0, 50)
