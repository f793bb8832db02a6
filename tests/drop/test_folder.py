"""Which files are opened and which never are."""

import os
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from graphrelay.drop.folder import DropFolder, DropUnusable, OpenedFile, Unsuitable, Vanished
from tests.drop.folder import NOBODY, leave, names, somebody_else
from tests.tools import needs_root

LARGEST = 1_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[DropFolder]:
    opened = DropFolder.open(tmp_path)
    yield opened
    opened.close()


def why(found: object) -> str:
    assert isinstance(found, Unsuitable), found
    return found.why


def test_a_file_that_was_left_properly_is_opened(folder: DropFolder, tmp_path: Path) -> None:
    name = leave(tmp_path)
    assert folder.waiting() == [name]
    found = folder.open_file(name, LARGEST)
    assert isinstance(found, OpenedFile)
    assert os.read(found.descriptor, 17) == b"graphrelay drop 1"
    assert found.owner == os.getuid()
    assert found.size == (tmp_path / "drop" / name).stat().st_size
    folder.delete(found)
    os.close(found.descriptor)
    folder.sync()
    assert folder.waiting() == []


def test_any_user_may_put_in_and_only_the_relay_reads_and_takes_out(public: Path) -> None:
    folder = DropFolder.open(public)
    with somebody_else():
        name = leave(public)
        own = public / "drop" / name
        assert stat.S_IMODE(own.stat().st_mode) == 0o640
        with pytest.raises(PermissionError):
            names(folder.path / "drop")
        with pytest.raises(PermissionError):
            names(folder.path / "refused")
    other = public / "drop" / leave(public)
    with somebody_else():
        for forbidden in (other.read_bytes, other.unlink, lambda: other.rename(own)):
            with pytest.raises(PermissionError):
                forbidden()
    found = folder.open_file(name, LARGEST)
    assert isinstance(found, OpenedFile)
    assert found.owner == NOBODY
    assert own.stat().st_gid == os.getegid()
    os.close(found.descriptor)
    folder.close()


def symbolic_link(path: Path) -> None:
    target = path.parent.parent / "secret"
    target.write_bytes(b"graphrelay drop 1\r\n")
    path.symlink_to(target)


def hard_link(path: Path) -> None:
    target = path.parent / leave(path.parent.parent)
    path.hardlink_to(target)


def listening_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        os.chdir(path.parent)
        bound.bind(path.name)


def too_large(path: Path) -> None:
    with path.open("wb") as opened:
        opened.truncate(LARGEST + 1)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (symbolic_link, "a symbolic link"),
        (hard_link, "2 names"),
        (os.mkfifo, "a FIFO"),
        (listening_socket, "a socket"),
        (Path.mkdir, "a folder"),
        (too_large, f"{LARGEST + 1} octets"),
    ],
)
@pytest.mark.timeout(20)
def test_what_is_not_a_regular_file_is_not_opened_and_holds_up_nothing(
    folder: DropFolder,
    tmp_path: Path,
    make: Callable[[Path], object],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "drop" / "0.mail")
    assert told in why(folder.open_file("0.mail", LARGEST))


def test_a_file_from_elsewhere_is_not_read(folder: DropFolder, tmp_path: Path) -> None:
    """Moved or linked in, it still has the group of where it was made."""
    needs_root()
    name = leave(tmp_path)
    os.chown(tmp_path / "drop" / name, -1, NOBODY)
    assert "not created in this folder" in why(folder.open_file(name, LARGEST))


@pytest.mark.parametrize("name", ["x", "x.mail.bak", "a b.mail", "..mail", "ä.mail", "-rf.mail"])
def test_a_file_of_another_name_is_not_opened(
    folder: DropFolder, tmp_path: Path, name: str
) -> None:
    (tmp_path / "drop" / name).write_bytes(b"")
    assert folder.waiting() == [name]
    assert "its name" in why(folder.open_file(name, LARGEST))


def test_a_file_that_is_no_longer_there_is_reported_as_vanished(folder: DropFolder) -> None:
    assert folder.open_file("0.mail", LARGEST) == Vanished()


def test_a_file_that_cannot_be_opened_is_unsuitable(
    folder: DropFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = leave(tmp_path)

    def refuse(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert "Permission denied" in why(folder.open_file(name, LARGEST))


def test_a_file_that_was_replaced_by_another_is_noticed(
    folder: DropFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, other = leave(tmp_path), leave(tmp_path)
    real = os.open

    def exchange(path: str, flags: int, *, dir_fd: int) -> int:
        (tmp_path / "drop" / other).rename(tmp_path / "drop" / name)
        return real(path, flags, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", exchange)
    assert "replaced" in why(folder.open_file(name, LARGEST))


@pytest.mark.timeout(20)
def test_a_file_that_was_replaced_by_a_fifo_holds_up_nothing(
    folder: DropFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = leave(tmp_path)
    real = os.open

    def exchange(path: str, flags: int, *, dir_fd: int) -> int:
        (tmp_path / "drop" / name).unlink()
        os.mkfifo(tmp_path / "drop" / name)
        return real(path, flags, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", exchange)
    assert "a FIFO" in why(folder.open_file(name, LARGEST))


def test_another_file_of_the_same_name_is_not_deleted(folder: DropFolder, tmp_path: Path) -> None:
    name, other = leave(tmp_path), leave(tmp_path, "bert@example.org")
    found = folder.open_file(name, LARGEST)
    assert isinstance(found, OpenedFile)
    (tmp_path / "drop" / other).rename(tmp_path / "drop" / name)
    folder.delete(found)
    os.close(found.descriptor)
    assert b"bert@example.org" in (tmp_path / "drop" / name).read_bytes()


def test_unfinished_files_are_left_alone_until_they_are_old(
    folder: DropFolder, tmp_path: Path
) -> None:
    begun = tmp_path / "drop" / ".0123.new"
    begun.write_bytes(b"graph")
    (tmp_path / "drop" / ".4567.new").mkdir()
    assert folder.waiting() == []
    assert folder.sweep(begun.stat().st_mtime) == []
    assert folder.sweep(begun.stat().st_mtime + 1) == [".0123.new"]
    assert not begun.exists()


def test_nothing_set_aside_takes_the_place_of_another(folder: DropFolder, tmp_path: Path) -> None:
    kept = []
    for text in (b"1", b"2", b"3"):
        (tmp_path / "drop" / "x y\n.mail").write_bytes(text)
        kept.append(folder.set_aside("x y\n.mail"))
    assert kept == ["x_y_.mail", "1-x_y_.mail", "2-x_y_.mail"]
    assert [(tmp_path / "refused" / name).read_bytes() for name in kept] == [b"1", b"2", b"3"]
    assert folder.refused() == 3
    assert folder.waiting() == []


def test_the_folders_are_made_with_their_modes(folder: DropFolder, tmp_path: Path) -> None:
    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in names(tmp_path)}
    assert modes == {"drop": 0o3733, "refused": 0o700}


def open_and_close(path: Path) -> None:
    DropFolder.open(path).close()


def test_only_its_group_may_be_let_in(tmp_path: Path) -> None:
    open_and_close(tmp_path)
    (tmp_path / "drop").chmod(0o3730)
    open_and_close(tmp_path)
    assert stat.S_IMODE((tmp_path / "drop").stat().st_mode) == 0o3730


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o2733, 0o1733, 0o3777])
def test_a_folder_that_lets_users_at_each_others_mail_is_refused(tmp_path: Path, mode: int) -> None:
    open_and_close(tmp_path)
    (tmp_path / "drop").chmod(mode)
    with pytest.raises(DropUnusable, match=f"has mode {mode:o}.*chmod 3733"):
        open_and_close(tmp_path)


def test_a_folder_in_which_other_users_could_replace_folders_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(DropUnusable, match="chmod 755"):
        open_and_close(tmp_path)


def test_a_link_in_place_of_a_folder_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    spool = tmp_path / "spool"
    spool.mkdir()
    (spool / "refused").symlink_to(elsewhere)
    with pytest.raises(DropUnusable, match="cannot use"):
        open_and_close(spool)


def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    needs_root()
    open_and_close(tmp_path)
    os.chown(tmp_path / "drop", NOBODY, NOBODY)
    with pytest.raises(DropUnusable, match=f"is owned by user {NOBODY}"):
        open_and_close(tmp_path)


def test_a_folder_has_one_relay(folder: DropFolder, tmp_path: Path) -> None:
    with pytest.raises(DropUnusable, match="another relay"):
        open_and_close(tmp_path)
    folder.close()
    open_and_close(tmp_path)


def test_what_cannot_be_made_leaves_nothing_half_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbid(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchmod", forbid)
    with pytest.raises(DropUnusable, match=r"tmpfiles\.d"):
        open_and_close(tmp_path)
    assert names(tmp_path) == []


def test_whether_mail_might_be_left_there_is_seen_from_outside(tmp_path: Path) -> None:
    assert not DropFolder.is_left_alone(tmp_path)
    open_and_close(tmp_path)
    assert DropFolder.is_left_alone(tmp_path)
