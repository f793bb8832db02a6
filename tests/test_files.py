"""Writing a file so that a crash leaves the old or the new one."""

import os
import stat
from pathlib import Path

import pytest

from graphrelay.files import sync_directory, write_beside


def nobody(_: int) -> None:
    """Leaves owner and mode as they are."""


def test_the_new_file_is_private_and_the_old_one_untouched(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"old")
    draft = write_beside(path, b"new", nobody)
    assert draft.parent == tmp_path
    assert draft.read_bytes() == b"new"
    assert stat.S_IMODE(draft.stat().st_mode) == 0o600
    assert path.read_bytes() == b"old"


def test_its_octets_are_synced_after_the_last_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: sizes.append(os.fstat(descriptor).st_size))
    write_beside(tmp_path / "key", b"x" * 100_000, nobody)
    assert sizes == [100_000]


def test_owner_and_mode_are_set_before_anything_is_in_it(tmp_path: Path) -> None:
    sizes: list[int] = []

    def own(descriptor: int) -> None:
        sizes.append(os.fstat(descriptor).st_size)
        os.fchmod(descriptor, 0o640)

    draft = write_beside(tmp_path / "key", b"secret", own)
    assert sizes == [0]
    assert stat.S_IMODE(draft.stat().st_mode) == 0o640


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    def may_not(_: int) -> None:
        raise PermissionError

    with pytest.raises(PermissionError):
        write_beside(tmp_path / "key", b"secret", may_not)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []

    def fsync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").resolve())

    monkeypatch.setattr(os, "fsync", fsync)
    sync_directory(tmp_path)
    assert synced == [tmp_path]
