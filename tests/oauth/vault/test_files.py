"""Encrypted files: whole or absent, bound to their name, and unreadable to others."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyring.errors import PasswordDeleteError

from graphrelay.oauth.vault.files import SUFFIX, EncryptedFiles
from graphrelay.oauth.vault.key import VaultKeys, load_keys, new_key_text
from graphrelay.oauth.vault.problem import VaultFailure

KEYS = VaultKeys(b"k" * 32, origin="test key")
OTHER = VaultKeys(b"o" * 32, origin="other key")


def only_file(directory: Path) -> Path:
    (path,) = directory.glob(f"*{SUFFIX}")
    return path


def test_what_was_put_in_comes_out(tmp_path: Path) -> None:
    files = EncryptedFiles(tmp_path / "vault", lambda: KEYS)
    assert files.get_password("s", "n") is None
    files.set_password("s", "n", "geheim ✓")
    assert files.get_password("s", "n") == "geheim ✓"
    files.set_password("s", "n", "neu")
    assert files.get_password("s", "n") == "neu"


def test_the_secret_and_the_key_stand_in_no_file(tmp_path: Path) -> None:
    files = EncryptedFiles(tmp_path, lambda: KEYS)
    files.set_password("s", "n", "a-secret-of-some-length")
    octets = only_file(tmp_path).read_bytes()
    assert b"a-secret" not in octets
    assert KEYS.current[:8] not in octets


def test_the_same_secret_never_looks_the_same_twice(tmp_path: Path) -> None:
    files = EncryptedFiles(tmp_path, lambda: KEYS)
    files.set_password("s", "n", "x")
    first = only_file(tmp_path).read_bytes()
    files.set_password("s", "n", "x")
    assert only_file(tmp_path).read_bytes() != first


def test_a_file_renamed_over_another_is_found_out(tmp_path: Path) -> None:
    files = EncryptedFiles(tmp_path, lambda: KEYS)
    files.set_password("s", "mallory", "x")
    stolen = only_file(tmp_path)
    stolen.rename(stolen.with_name(stolen.name.replace("mallory", "alice")))
    with pytest.raises(VaultFailure, match="not the one of this name"):
        files.get_password("s", "alice")


def test_another_key_is_named_as_the_cause(tmp_path: Path) -> None:
    EncryptedFiles(tmp_path, lambda: KEYS).set_password("s", "n", "x")
    with pytest.raises(VaultFailure, match="another key than the other key"):
        EncryptedFiles(tmp_path, lambda: OTHER).get_password("s", "n")


@given(st.data())
def test_any_damage_is_detected_and_nothing_of_the_secret_is_shown(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("vault")
    files = EncryptedFiles(directory, lambda: KEYS)
    files.set_password("s", "n", "a-secret-of-some-length")
    path = only_file(directory)
    octets = bytearray(path.read_bytes())
    if data.draw(st.booleans(), "cut"):
        del octets[data.draw(st.integers(0, len(octets) - 1), "at") :]
    else:
        octets[data.draw(st.integers(0, len(octets) - 1), "at")] ^= data.draw(st.integers(1, 255))
    path.write_bytes(octets)
    with pytest.raises(VaultFailure) as caught:
        files.get_password("s", "n")
    assert "a-secret" not in f"{caught.value}{caught.value.reason}{caught.value.remedy}"


@given(service=st.text(min_size=1, max_size=8), name=st.text(min_size=1, max_size=20))
def test_any_name_is_a_file_inside_the_directory(
    tmp_path_factory: pytest.TempPathFactory, service: str, name: str
) -> None:
    directory = tmp_path_factory.mktemp("vault")
    files = EncryptedFiles(directory, lambda: KEYS)
    if not (service + name).isprintable():
        service, name = repr(service), repr(name)
    files.set_password(service, name, "x")
    assert files.get_password(service, name) == "x"
    assert list(files.names(service)) == [name]
    assert [path.parent for path in directory.rglob("*") if path.is_file()] == [directory]


def test_names_that_differ_by_their_separator_do_not_meet(tmp_path: Path) -> None:
    files = EncryptedFiles(tmp_path, lambda: KEYS)
    files.set_password("a+b", "c", "one")
    files.set_password("a", "b+c", "two")
    assert files.get_password("a+b", "c") == "one"
    assert files.get_password("a", "b+c") == "two"


def test_deleting_what_is_not_there_raises_what_keyring_expects(tmp_path: Path) -> None:
    files = EncryptedFiles(tmp_path, lambda: KEYS)
    files.set_password("s", "n", "x")
    files.delete_password("s", "n")
    assert files.get_password("s", "n") is None
    with pytest.raises(PasswordDeleteError):
        files.delete_password("s", "n")


def test_what_root_writes_belongs_to_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`graphrelay authorize` as root must leave nothing that the service cannot read."""
    owners: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "chown", lambda _, uid, gid: owners.append((uid, gid)))
    EncryptedFiles(tmp_path / "vault", lambda: load_keys(tmp_path, None)).set_password(
        "s", "n", "x"
    )
    service = tmp_path.stat()
    assert owners == [(service.st_uid, service.st_gid)] * 3, "the key, the folder and the file"


def test_the_environment_sets_none_of_our_fields(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYRING_PROPERTY_DIRECTORY", "/tmp")
    assert EncryptedFiles(tmp_path, lambda: KEYS).directory == tmp_path


# --- Changing keys -------------------------------------------------------------------------------


def with_key_file(folder: Path) -> EncryptedFiles:
    return EncryptedFiles(folder / "vault", lambda: load_keys(folder, None))


def test_rotating_changes_the_key_and_no_secret(tmp_path: Path) -> None:
    files = with_key_file(tmp_path)
    files.set_password("s", "a", "one")
    files.set_password("s", "b", "two")
    old = files.keys
    before = (tmp_path / "vault.key").read_bytes()
    assert files.rotate("s") == 2
    assert files.keys.current != old.current
    assert (tmp_path / "vault.key").read_bytes() != before
    assert load_keys(tmp_path, None).older == ()
    with pytest.raises(VaultFailure, match="another key"):
        EncryptedFiles(tmp_path / "vault", lambda: old).get_password("s", "a")
    again = with_key_file(tmp_path)
    assert [again.get_password("s", name) for name in ("a", "b")] == ["one", "two"]


def test_a_process_that_runs_meanwhile_takes_the_new_key(tmp_path: Path) -> None:
    daemon = with_key_file(tmp_path)
    daemon.set_password("s", "a", "one")
    with_key_file(tmp_path).rotate("s")
    assert daemon.get_password("s", "a") == "one"
    daemon.set_password("s", "a", "two")
    assert with_key_file(tmp_path).get_password("s", "a") == "two"


def test_what_is_new_is_written_with_the_key_that_another_process_made(tmp_path: Path) -> None:
    daemon = with_key_file(tmp_path)
    with_key_file(tmp_path).rotate("s")
    daemon.set_password("s", "a", "one")
    assert with_key_file(tmp_path).get_password("s", "a") == "one"


class Crash(BaseException):
    """Power is lost."""


@pytest.mark.parametrize("step", range(16))
def test_a_crash_at_any_step_of_rotating_loses_nothing(tmp_path: Path, step: int) -> None:
    """Each call that touches the disk is a step; the process dies at one of them."""
    files = with_key_file(tmp_path)
    for name in ("a", "b", "c"):
        files.set_password("s", name, name * 3)
    left = step

    def dying(real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **more: object) -> object:
            nonlocal left
            if left == 0:
                raise Crash
            left -= 1
            return real(*args, **more)

        return call

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", dying(os.fsync))
        patch.setattr(Path, "replace", dying(Path.replace))
        if step < 15:
            with pytest.raises(Crash):
                files.rotate("s")
        else:
            files.rotate("s")
    after = with_key_file(tmp_path)
    assert [after.get_password("s", name) for name in "abc"] == ["aaa", "bbb", "ccc"]
    after.rotate("s")
    assert load_keys(tmp_path, None).older == ()
    assert [with_key_file(tmp_path).get_password("s", n) for n in "abc"] == ["aaa", "bbb", "ccc"]


def test_a_key_from_systemd_is_changed_by_giving_both(tmp_path: Path) -> None:
    old, new = new_key_text(), new_key_text()
    credentials = tmp_path / "credentials"
    credentials.mkdir()

    def files() -> EncryptedFiles:
        return EncryptedFiles(tmp_path / "vault", lambda: load_keys(tmp_path, credentials))

    (credentials / "vault.key").write_bytes(old)
    files().set_password("s", "a", "one")
    with pytest.raises(VaultFailure, match="read-only") as caught:
        files().rotate("s")
    assert "first line" in caught.value.remedy
    (credentials / "vault.key").write_bytes(new + old)
    assert files().get_password("s", "a") == "one"
    assert files().rotate("s") == 1
    (credentials / "vault.key").write_bytes(new)
    assert files().get_password("s", "a") == "one"
