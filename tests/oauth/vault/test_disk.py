"""Small files: replaced whole, private, and named when they cannot be read."""

import os
import stat
from pathlib import Path

import pytest

from graphrelay.oauth.vault.disk import make_private, read_file, remove_file, replace_file
from graphrelay.oauth.vault.problem import VaultFailure


def test_a_file_is_replaced_and_read(tmp_path: Path) -> None:
    path = tmp_path / "vault" / "a"
    assert read_file(path) is None
    replace_file(path, b"one")
    replace_file(path, b"two")
    assert read_file(path) == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    path = tmp_path / "vault" / "a"
    replace_file(path, b"x")
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_directory_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    make_private(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o750


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    replace_file(path, b"old")

    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(VaultFailure, match=f"{path} cannot be written: No space left"):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_never_written_over_in_place(tmp_path: Path) -> None:
    """Power may fail in the middle of a write: the new file is complete before it gets its name."""
    path = tmp_path / "a"
    replace_file(path, b"old")
    with path.open("rb") as before:
        replace_file(path, b"new")
        assert before.read() == b"old"
    assert path.read_bytes() == b"new"


def test_the_file_and_then_its_directory_are_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: synced.append(Path(f"/dev/fd/{descriptor}").resolve().name)
    )
    replace_file(tmp_path / "a", b"x")
    assert len(synced) == 2
    assert synced[0].startswith(".a.")
    assert synced[1] == tmp_path.name


def test_removing_says_whether_there_was_one(tmp_path: Path) -> None:
    replace_file(tmp_path / "a", b"x")
    assert remove_file(tmp_path / "a")
    assert not remove_file(tmp_path / "a")


def test_what_cannot_be_read_or_removed_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(VaultFailure, match=f"{tmp_path / 'a'} cannot be read"):
        read_file(tmp_path / "a")
    with pytest.raises(VaultFailure, match=f"{tmp_path / 'a'} cannot be removed"):
        remove_file(tmp_path / "a")
