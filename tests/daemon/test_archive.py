"""A backup is whole or refused, and a restore is done or undone."""

import asyncio
import errno
import io
import os
import shutil
import tarfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from graphrelay.daemon.archive import BadArchive, CannotRestore, back_up, restore, verify
from graphrelay.journal import Journal
from graphrelay.model import Held
from graphrelay.spool.errors import SpoolInUse
from graphrelay.spool.queries import QueueFilter, RefusalFilter
from graphrelay.spool.sqlite import SqliteSpool
from graphrelay.spool.sqlite.files.lock import Lock
from graphrelay.spool.values import QueueRow
from tests.clock import FakeClock
from tests.spool.mail import NOON, REFUSED, put

LARGE = b"0123456789abcde\n" * 6250


async def _fill(directory: Path) -> None:
    clock = FakeClock()
    async with SqliteSpool.open(directory, clock, Journal(clock), reserve=0) as spool:
        await put(spool, b"small\r\n")
        await put(spool, LARGE)
        await spool.note_refusals([REFUSED])


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory with mail and authorizations, of a relay that is stopped."""
    directory = tmp_path / "state"
    asyncio.run(_fill(directory))
    (directory / "vault").mkdir()
    (directory / "vault" / "graphrelay+website.secret").write_bytes(b"GRV1sealed")
    (directory / "vault.key").write_bytes(b"key")
    return directory


def backed_up(state: Path, *, with_key: bool = False) -> io.BytesIO:
    out = io.BytesIO()
    made = back_up(state, out, NOON, with_key=with_key)
    assert verify(out) == made
    return out


def names(backup: io.BytesIO) -> set[str]:
    backup.seek(0)
    with tarfile.open(fileobj=backup) as tar:
        return {name.partition("/")[0] for name in tar.getnames()}


async def _look(directory: Path) -> tuple[list[QueueRow], list[bytes], int]:
    clock = FakeClock()
    async with SqliteSpool.open(directory, clock, Journal(clock), reserve=0) as spool:
        rows = await spool.read(QueueFilter())
        loaded = [await spool.load(row.submission_id) for row in rows]
        octets = [one.body.read(0, one.body.size) for one in loaded]
        return rows, octets, len(await spool.read(RefusalFilter()))


def look(directory: Path) -> tuple[list[QueueRow], list[bytes], int]:
    return asyncio.run(_look(directory))


def test_everything_comes_back_and_what_waited_is_held(state: Path, tmp_path: Path) -> None:
    backup = backed_up(state)
    target = tmp_path / "target"
    assert restore(backup, target, FakeClock(), replace=False, hold=True) == 2
    rows, octets, refusals = look(target)
    assert (octets, refusals) == ([b"small\r\n", LARGE], 1)
    assert all(isinstance(row.state, Held) for row in rows)
    assert "restored from a backup of 2026-11-23 12:00 UTC" in str(rows[0].state)
    secret = target / "vault" / "graphrelay+website.secret"
    assert secret.read_bytes() == b"GRV1sealed"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert not (target / "restore.partial").exists()


def test_what_waited_is_sent_only_where_that_was_asked_for(state: Path, tmp_path: Path) -> None:
    assert restore(backed_up(state), tmp_path / "t", FakeClock(), replace=False, hold=False) == 0
    assert not any(isinstance(row.state, Held) for row in look(tmp_path / "t")[0])


def test_the_key_is_in_it_only_where_that_was_asked_for(state: Path, tmp_path: Path) -> None:
    assert names(backed_up(state)) == {"spool.db", "bodies", "vault", "manifest.json"}
    with_key = backed_up(state, with_key=True)
    assert names(with_key) == {"spool.db", "bodies", "vault", "vault.key", "manifest.json"}
    restore(with_key, tmp_path / "t", FakeClock(), replace=False, hold=True)
    assert (tmp_path / "t" / "vault.key").read_bytes() == b"key"


def test_a_queue_that_is_there_is_refused_or_moved_aside_whole(state: Path) -> None:
    backup = backed_up(state)
    with pytest.raises(CannotRestore, match="--replace"):
        restore(backup, state, FakeClock(), replace=False, hold=True)
    restore(backup, state, FakeClock(), replace=True, hold=True)
    (aside,) = state.glob("replaced-*")
    assert (aside / "vault" / "graphrelay+website.secret").exists()
    assert look(aside)[1] == look(state)[1] == [b"small\r\n", LARGE]
    assert (state / "vault.key").read_bytes() == b"key"  # the backup contained none


def test_nothing_is_restored_while_the_relay_runs(state: Path) -> None:
    backup = backed_up(state)
    lock = Lock.take(state)
    with pytest.raises(SpoolInUse):
        restore(backup, state, FakeClock(), replace=True, hold=True)
    lock.give_back()


def cut_short(backup: bytes) -> bytes:
    return backup[: len(backup) // 2]


def without_manifest(backup: bytes) -> bytes:
    return rewritten(backup, lambda member, _: member.name != "manifest.json")


def without_a_body(backup: bytes) -> bytes:
    return rewritten(backup, lambda member, _: not member.name.startswith("bodies/"))


def with_another_octet(backup: bytes) -> bytes:
    at = backup.index(LARGE[:100]) + 50
    return backup[:at] + b"X" + backup[at + 1 :]


def with_a_way_out(backup: bytes) -> bytes:
    return rewritten(backup, lambda _member, _: True, ("../../etc/passwd", b"root::0:0"))


def with_manifest(text: bytes) -> Callable[[bytes], bytes]:
    def changed(backup: bytes) -> bytes:
        out = io.BytesIO(without_manifest(backup))
        with tarfile.open(fileobj=out, mode="a") as tar:
            member = tarfile.TarInfo("manifest.json")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))
        return out.getvalue()

    return changed


def rewritten(
    backup: bytes,
    keep: Callable[[tarfile.TarInfo, bytes], bool],
    *more: tuple[str, bytes],
) -> bytes:
    out = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(backup)) as old,
        tarfile.open(fileobj=out, mode="w") as new,
    ):
        for name, octets in more:
            member = tarfile.TarInfo(name)
            member.size = len(octets)
            new.addfile(member, io.BytesIO(octets))
        for member in old:
            source = old.extractfile(member)
            assert source
            octets = source.read()
            if keep(member, octets):
                new.addfile(member, io.BytesIO(octets))
    return out.getvalue()


@pytest.mark.parametrize(
    "damage",
    [
        cut_short,
        without_manifest,
        without_a_body,
        with_another_octet,
        with_a_way_out,
        *map(
            with_manifest,
            [
                b"[]",
                b"[" * 100_000,
                b'{"format": 2}',
                b'{"format": 1}',
                b'{"format": 1, "version": "1", "created_at": "2026-11-30", "files": []}',
                b'{"format": 1, "version": "1", "created_at": "yesterday", "files": {}}',
                b'{"format": 1, "version": "1", "created_at": "2026-11-30", "files": {"x": 1}}',
            ],
        ),
        lambda _: b"x",
    ],
)
def test_a_file_that_is_not_a_whole_backup_is_refused_and_changes_nothing(
    state: Path, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    broken = io.BytesIO(damage(backed_up(state).getvalue()))
    with pytest.raises(BadArchive):
        verify(broken)
    with pytest.raises(BadArchive):
        restore(broken, tmp_path / "target", FakeClock(), replace=False, hold=True)
    assert not (tmp_path / "target").exists()


def test_a_restore_for_which_there_is_no_room_leaves_nothing_behind(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    backup, target = backed_up(state), tmp_path / "target"
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CannotRestore, match=r"nothing was changed: .*target: .*No space left"):
        restore(backup, target, FakeClock(), replace=False, hold=False)
    assert [path.name for path in target.iterdir()] == ["lock"]


class Killed(BaseException):
    """The process ends here."""


RENAMES = 7
"""Aside: database, bodies, vault, key. In place: bodies, vault, key, and then the database."""


@pytest.mark.parametrize("after", range(RENAMES + 1))
def test_a_restore_that_is_cut_short_can_be_made_again(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    backup = backed_up(state, with_key=True)
    target = tmp_path / "target"
    shutil.copytree(state, target)
    renamed, rename = 0, Path.rename

    def dying(self: Path, to: Path) -> Path:
        nonlocal renamed
        if renamed == after:
            raise Killed
        renamed += 1
        return rename(self, to)

    clock = FakeClock()
    with monkeypatch.context() as killing:
        killing.setattr(Path, "rename", dying)
        with pytest.raises(Killed):
            restore(backup, target, clock, replace=True, hold=True)
    asyncio.run(clock.advance(timedelta(seconds=1)))
    restore(backup, target, clock, replace=True, hold=True)
    assert look(target)[1] == [b"small\r\n", LARGE]
    assert (target / "vault.key").read_bytes() == b"key"
    kept = sorted(path.name for path in target.glob("replaced-*/*"))
    assert {"spool.db", "bodies", "vault", "vault.key"} <= set(kept)
