"""Picking up mail in the drop folder, step by step."""

import asyncio
import os
import pwd
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from graphrelay.drop import Pickup
from graphrelay.drop.folder import DropFolder
from graphrelay.drop.pickup import ABANDONED, LOOK_EVERY
from graphrelay.journal import Entry, Journal
from graphrelay.model import Reply, StorageUnavailable
from tests.clock import FakeClock, settle
from tests.drop.folder import leave, names
from tests.smtp.reception import MemoryReception, until

ME = pwd.getpwuid(os.getuid()).pw_name


class Post:
    """A pickup, and its results."""

    def __init__(self, path: Path, folder: DropFolder) -> None:
        self.path = path
        self.folder = folder
        self.reception = MemoryReception()
        self.clock = FakeClock(datetime.now(UTC))
        self.entries: list[Entry] = []
        self.pickup = self.another()

    def another(self) -> Pickup:
        """As after a restart."""
        journal = Journal(self.clock, self.entries.append)
        return Pickup(self.folder, self.reception, "unix:/run/x", journal, self.clock)

    @property
    def dropped(self) -> list[str]:
        return names(self.path / "drop")

    @property
    def refused(self) -> list[str]:
        return names(self.path / "refused")

    def told(self, event: str) -> list[dict[str, object]]:
        return [dict(entry.fields) for entry in self.entries if entry.event == event]


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    folder = DropFolder.open(tmp_path)
    yield Post(tmp_path, folder)
    folder.close()


async def test_a_message_is_taken_as_from_its_user(post: Post) -> None:
    name = leave(post.path, "a@example.org", "b@example.org", text=b"Subject: x\n\r\n.\rend")
    await post.pickup.look()
    (received,) = post.reception.received
    assert str(received.envelope.reverse_path) == "wp@contoso.com"
    assert [str(to) for to in received.envelope.forward_paths] == ["a@example.org", "b@example.org"]
    assert received.octets == b"Subject: x\r\n\r\n.\r\nend"
    assert received.origin.client == f"unix:{ME}"
    assert received.origin.listener == "unix:/run/x"
    assert received.origin.helo == name
    assert received.origin.login is None
    assert post.dropped == post.refused == []
    (taken,) = [entry for entry in post.entries if entry.event == "drop-taken"]
    assert (taken.queue_id, taken.fields["user"], taken.fields["file"]) == ("Q1", ME, name)


async def test_large_messages_come_through_whole(post: Post) -> None:
    text = b"Subject: x\r\n\r\n" + os.urandom(3_000_000).replace(b"\r", b"").replace(b"\n", b"")
    leave(post.path, text=text)
    await post.pickup.look()
    assert post.reception.received[0].octets == text


async def test_the_oldest_goes_first(post: Post) -> None:
    for number in range(5):
        leave(post.path, f"user{number}@example.org")
    await post.pickup.look()
    people = [str(one.envelope.forward_paths[0]) for one in post.reception.received]
    assert people == [f"user{number}@example.org" for number in range(5)]


@pytest.mark.parametrize("stage", ["sender", "recipient", "accept", "size"])
async def test_what_the_relay_refuses_is_kept_for_a_person(post: Post, stage: str) -> None:
    no = Reply(550, "5.7.1", "No route takes that")
    match stage:
        case "sender":
            post.reception.refused_senders["wp@contoso.com"] = no
        case "recipient":
            post.reception.refused_recipients["b@example.org"] = no
        case "accept":
            post.reception.answer = no
        case "size":
            post.reception.limit = 10
    name = leave(post.path, "a@example.org", "b@example.org")
    before = (post.path / "drop" / name).read_bytes()
    await post.pickup.look()
    assert (post.dropped, post.refused) == ([], [name])
    assert (post.path / "refused" / name).read_bytes() == before
    assert post.reception.received == []
    (told,) = post.told("drop-refused")
    assert told["user"] == ME
    assert told["kept"] == str(post.path / "refused" / name)
    assert str(told["reason"]).startswith("552 5.3.4" if stage == "size" else str(no))
    assert all(body.octets == b"" for body in post.reception.bodies)


async def test_a_line_end_too_many_is_still_too_big(post: Post) -> None:
    text = b"\n" * 1000
    leave(post.path, text=text)
    post.reception.limit = 1500
    await post.pickup.look()
    assert (
        post.told("drop-refused")[0]["reason"]
        == "552 5.3.4 The message is too big: at most 1500 octets are accepted"
    )


async def test_what_was_refused_can_be_put_back(post: Post) -> None:
    name = leave(post.path)
    post.reception.answer = Reply(550, "5.7.1", "no")
    await post.pickup.look()
    (post.path / "refused" / name).rename(post.path / "drop" / name)
    post.reception.answer = None
    await post.pickup.look()
    assert len(post.reception.received) == 1


async def test_a_temporary_refusal_leaves_the_file_and_is_reported_once(post: Post) -> None:
    name = leave(post.path)
    post.reception.answer = Reply(451, "4.3.0", "Something went wrong here")
    for _ in range(3):
        await post.pickup.look()
    assert (post.dropped, post.refused) == ([name], [])
    (told,) = post.told("drop-left")
    assert told["reason"] == "451 4.3.0 Something went wrong here"
    post.reception.answer = None
    await post.pickup.look()
    assert post.dropped == []


async def test_without_storage_everything_waits_and_that_is_reported_once(post: Post) -> None:
    leave(post.path)
    leave(post.path)
    post.reception.answer = StorageUnavailable("The disk is full")
    for _ in range(3):
        await post.pickup.look()
    assert len(post.dropped) == 2
    assert len(post.reception.bodies) == 3  # the second is not tried where the first found no room
    (told,) = post.told("drop-trouble")
    assert told["reason"] == "The disk is full"
    post.reception.answer = None
    await post.pickup.look()
    assert post.dropped == []
    post.reception.answer = StorageUnavailable("The disk is full")
    leave(post.path)
    await post.pickup.look()
    assert len(post.told("drop-trouble")) == 2


async def test_a_file_that_raises_an_error_does_not_hold_up_others(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = leave(post.path, "bad@example.org")
    leave(post.path, "good@example.org")
    recipient = post.reception.recipient

    def stumble(forward_path: object, *rest: object) -> Reply | None:
        if "bad" in str(forward_path):
            raise RuntimeError("stumbled")
        return recipient(forward_path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(post.reception, "recipient", stumble)
    for _ in range(2):
        await post.pickup.look()
    assert len(post.reception.received) == 1
    assert post.dropped == [bad]
    (told,) = post.told("drop-left")
    assert told["reason"] == "RuntimeError: stumbled"


async def test_unsuitable_files_are_set_aside_and_reported(post: Post) -> None:
    drop = post.path / "drop"
    secret = post.path / "secret"
    secret.write_text("vault key")
    (drop / "0.mail").symlink_to(secret)
    os.mkfifo(drop / "1.mail")
    (drop / "2.mail").write_bytes(b"From: x\r\n\r\n")
    (drop / "über\n\udcff").write_bytes(b"")
    leave(post.path)
    await asyncio.wait_for(post.pickup.look(), 10)
    assert len(post.reception.received) == 1
    assert post.dropped == []
    assert post.refused == ["0.mail", "1.mail", "2.mail", "_ber__"]
    assert (post.path / "refused" / "0.mail").is_symlink()
    assert secret.read_text() == "vault key"
    told = post.told("drop-refused")
    assert [entry["reason"] for entry in told] == [
        "it is a symbolic link",
        "it is a FIFO",
        "it does not begin with the line that graphrelay-sendmail writes",
        "its name is not one that graphrelay-sendmail gives",
    ]
    for entry in told:
        str(entry["file"]).encode()


async def test_a_folder_that_cannot_be_moved_is_reported_once_and_left(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    (post.path / "drop" / "0.mail").mkdir()

    def refuse(name: str) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(post.folder, "set_aside", refuse)
    for _ in range(3):
        await post.pickup.look()
    (told,) = post.told("drop-left")
    assert told["reason"] == "it is a folder; and it cannot be moved: Permission denied"


async def test_a_file_that_shrinks_while_it_is_being_read_is_not_accepted(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = leave(post.path, text=b"x" * 2_000_000)
    real = os.pread

    def shrink(descriptor: int, octets: int, at: int) -> bytes:
        if at > 1_000_000:
            os.truncate(post.path / "drop" / name, 1_000_000)
        return real(descriptor, octets, at)

    monkeypatch.setattr(os, "pread", shrink)
    await post.pickup.look()
    assert post.reception.received == []
    assert post.told("drop-refused")[0]["reason"] == "it changed while it was being read"


# --- Crash points: what is there after the relay dies at that step --------------------------------


async def test_dying_before_the_message_is_owned_loses_nothing(post: Post) -> None:
    leave(post.path)
    post.reception.may_accept.clear()
    looking = asyncio.create_task(post.pickup.look())
    await post.reception.accepting.wait()
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
    assert len(post.dropped) == 1
    post.reception.may_accept.set()
    await post.another().look()
    assert len(post.reception.received) == 1
    assert post.dropped == []


async def test_dying_before_the_file_is_deleted_doubles_it_once(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(post.path)
    delete = post.folder.delete

    def die(_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(post.folder, "delete", die)
    for _ in range(5):  # while it runs, the relay remembers what it has taken
        await post.pickup.look()
    assert len(post.reception.received) == 1
    assert len(post.told("drop-trouble")) == 1
    monkeypatch.setattr(post.folder, "delete", delete)
    restarted = post.another()
    for _ in range(3):
        await restarted.look()
    assert len(post.reception.received) == 2
    assert post.dropped == []


@pytest.mark.parametrize(
    "broken",
    [OSError(5, "Input/output error"), RuntimeError("can't start new thread"), MemoryError()],
)
async def test_no_error_ends_the_pickup(
    post: Post, broken: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> None:
        raise broken

    leave(post.path)
    running = asyncio.create_task(post.pickup.run())
    with monkeypatch.context() as bad_times:
        for name in ("refused", "sweep", "waiting"):
            bad_times.setattr(post.folder, name, breaks)
        async with asyncio.timeout(10):
            while not post.told("drop-trouble"):
                await settle()
    async with asyncio.timeout(10):
        while not post.reception.received:
            await post.clock.advance(LOOK_EVERY)
    assert post.told("drop-trouble") == [
        {"reason": str(broken) or "MemoryError()", "next": "the drop folder is looked at again"}
    ]
    post.pickup.stop()
    await running


async def test_deletions_are_synced(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    delete, sync = post.folder.delete, post.folder.sync

    def noted_delete(opened: object) -> None:
        assert len(post.reception.received) == 1
        steps.append("delete")
        delete(opened)  # type: ignore[arg-type]

    def noted_sync() -> None:
        steps.append("sync")
        sync()

    monkeypatch.setattr(post.folder, "delete", noted_delete)
    monkeypatch.setattr(post.folder, "sync", noted_sync)
    leave(post.path)
    await post.pickup.look()
    assert steps == ["delete", "sync"]


# --- The loop -------------------------------------------------------------------------------------


async def test_it_looks_at_start_and_then_by_the_clock(post: Post) -> None:
    leave(post.path)
    running = asyncio.create_task(post.pickup.run())
    await post.reception.has_received(1)
    await until(lambda: post.clock.sleepers)
    leave(post.path)
    await settle()
    assert len(post.reception.received) == 1
    await post.clock.advance(LOOK_EVERY)
    await post.reception.has_received(2)
    post.pickup.stop()
    await asyncio.wait_for(running, 5)


async def test_files_that_wait_for_a_person_are_reported_at_start(post: Post) -> None:
    (post.path / "refused" / "x").write_bytes(b"")
    post.pickup.stop()
    await post.pickup.run()
    (told,) = post.told("drop-refused-waiting")
    assert told == {"files": 1, "directory": str(post.path / "refused")}


async def test_stopping_finishes_what_is_in_hand_and_begins_nothing(post: Post) -> None:
    leave(post.path)
    leave(post.path)
    post.reception.may_accept.clear()
    running = asyncio.create_task(post.pickup.run())
    await post.reception.accepting.wait()
    post.pickup.stop()
    post.reception.may_accept.set()
    await asyncio.wait_for(running, 5)
    assert len(post.reception.received) == 1
    assert len(post.dropped) == 1


async def test_abandoned_files_are_deleted(post: Post) -> None:
    begun = post.path / "drop" / ".0123.new"
    begun.write_bytes(b"graph")
    await post.pickup.look()
    assert begun.exists()
    post.clock.set_wall_clock(datetime.now(UTC) + ABANDONED + timedelta(seconds=5))
    await post.pickup.look()
    assert not begun.exists()
    assert post.told("drop-unfinished") == [{"file": ".0123.new", "next": "deleted"}]
