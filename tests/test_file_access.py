"""Who may access a file, and the advice for a user who may not."""

import os
from pathlib import Path

import pytest

from graphrelay import file_access
from graphrelay.file_access import ENTER, READ, WRITE, FileUser, advice, obstacle

PERSON = FileUser("person", 4242, frozenset({4242}))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    for directory in (tmp_path, *tmp_path.parents):
        if not PERSON.has(ENTER, directory.stat()):
            directory.chmod(0o755)
    path = tmp_path / "config.toml"
    path.write_text("")
    return path


@pytest.mark.parametrize(
    ("mode", "bits", "may"),
    [(0o640, READ, False), (0o644, READ, True), (0o644, WRITE, False), (0o666, WRITE, True)],
)
def test_the_last_three_bits_hold_for_others(file: Path, mode: int, bits: int, may: bool) -> None:
    file.chmod(mode)
    assert obstacle(file, PERSON, bits) == (None if may else file)


def test_a_member_of_the_group_has_the_groups_bits_and_the_owner_its_own(file: Path) -> None:
    file.chmod(0o040)
    found = file.stat()
    assert FileUser("member", 4242, frozenset({found.st_gid})).has(READ, found)
    assert not FileUser("owner", found.st_uid or 4242, frozenset({found.st_gid})).has(WRITE, found)


def test_root_may_do_everything(file: Path) -> None:
    file.chmod(0)
    assert obstacle(file, FileUser("root", 0, frozenset())) is None


def test_a_directory_on_the_way_is_named_before_the_file(file: Path) -> None:
    file.parent.chmod(0o700)
    assert obstacle(file, PERSON) == file.parent


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
@pytest.mark.parametrize(
    ("gid", "mode", "wanted"),
    [
        (1, 0o640, "run it with sudo, or join the group daemon (sudo usermod -aG daemon person"),
        (1, 0o600, "run it with sudo"),
        (0, 0o640, "run it with sudo"),
    ],
)
def test_a_group_is_advised_if_it_may_and_is_not_roots(
    file: Path, monkeypatch: pytest.MonkeyPatch, gid: int, mode: int, wanted: str
) -> None:
    os.chown(file, 0, gid)
    file.chmod(mode)
    monkeypatch.setattr(file_access.FileUser, "this_process", lambda: PERSON)
    assert advice(file).startswith(wanted)
    assert ("join" in advice(file)) == ("join" in wanted)
