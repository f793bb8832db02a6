"""Encrypted files: whole or absent, bound to their name, and unreadable to others."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from keyring.errors import PasswordDeleteError

from graphrelay.oauth.vault.files import SUFFIX, EncryptedFiles
from graphrelay.oauth.vault.key import VaultKey
from graphrelay.oauth.vault.problem import VaultFailure

KEY = VaultKey(b"k" * 32, "test key")
OTHER = VaultKey(b"o" * 32, "other key")


def only_file(directory: Path) -> Path:
    (path,) = directory.glob(f"*{SUFFIX}")
    return path


def test_what_was_put_in_comes_out(tmp_path: Path) -> None:
    files = EncryptedFiles(tmp_path / "vault", KEY)
    assert files.get_password("s", "n") is None
    files.set_password("s", "n", "geheim ✓")
    assert files.get_password("s", "n") == "geheim ✓"
    files.set_password("s", "n", "neu")
    assert files.get_password("s", "n") == "neu"


def test_the_secret_and_the_key_stand_in_no_file(tmp_path: Path) -> None:
    files = EncryptedFiles(tmp_path, KEY)
    files.set_password("s", "n", "a-secret-of-some-length")
    octets = only_file(tmp_path).read_bytes()
    assert b"a-secret" not in octets
    assert KEY.octets[:8] not in octets


def test_only_the_owner_may_read(tmp_path: Path) -> None:
    files = EncryptedFiles(tmp_path / "vault", KEY)
    files.set_password("s", "n", "x")
    assert stat.S_IMODE((tmp_path / "vault").stat().st_mode) == 0o700
    assert stat.S_IMODE(only_file(tmp_path / "vault").stat().st_mode) == 0o600


def test_the_same_secret_never_looks_the_same_twice(tmp_path: Path) -> None:
    files = EncryptedFiles(tmp_path, KEY)
    files.set_password("s", "n", "x")
    first = only_file(tmp_path).read_bytes()
    files.set_password("s", "n", "x")
    assert only_file(tmp_path).read_bytes() != first


def test_a_file_renamed_over_another_is_found_out(tmp_path: Path) -> None:
    files = EncryptedFiles(tmp_path, KEY)
    files.set_password("s", "mallory", "x")
    stolen = only_file(tmp_path)
    stolen.rename(stolen.with_name(stolen.name.replace("mallory", "alice")))
    with pytest.raises(VaultFailure, match="not the file of this name"):
        files.get_password("s", "alice")


def test_another_key_is_named_as_the_cause(tmp_path: Path) -> None:
    EncryptedFiles(tmp_path, KEY).set_password("s", "n", "x")
    with pytest.raises(VaultFailure, match="another key than the other key"):
        EncryptedFiles(tmp_path, OTHER).get_password("s", "n")


@given(st.data())
def test_any_damage_is_found_and_nothing_of_the_secret_told(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("vault")
    files = EncryptedFiles(directory, KEY)
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
    files = EncryptedFiles(directory, KEY)
    if not (service + name).isprintable():
        service, name = repr(service), repr(name)
    files.set_password(service, name, "x")
    assert files.get_password(service, name) == "x"
    assert list(files.names(service)) == [name]
    assert [path.parent for path in directory.rglob("*") if path.is_file()] == [directory]


def test_names_that_differ_by_their_separator_do_not_meet(tmp_path: Path) -> None:
    files = EncryptedFiles(tmp_path, KEY)
    files.set_password("a+b", "c", "one")
    files.set_password("a", "b+c", "two")
    assert files.get_password("a+b", "c") == "one"
    assert files.get_password("a", "b+c") == "two"


def test_deleting_what_is_not_there_is_said_as_keyring_says_it(tmp_path: Path) -> None:
    files = EncryptedFiles(tmp_path, KEY)
    files.set_password("s", "n", "x")
    files.delete_password("s", "n")
    assert files.get_password("s", "n") is None
    with pytest.raises(PasswordDeleteError):
        files.delete_password("s", "n")


def test_a_failed_write_leaves_the_old_secret(tmp_path: Path) -> None:
    files = EncryptedFiles(tmp_path, KEY)
    files.set_password("s", "n", "old")

    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", no_space)
        with pytest.raises(VaultFailure, match="No space left"):
            files.set_password("s", "n", "new")
    assert files.get_password("s", "n") == "old"
    assert [path.name for path in tmp_path.iterdir()] == [only_file(tmp_path).name]


def test_the_environment_sets_none_of_our_fields(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYRING_PROPERTY_DIRECTORY", "/tmp")
    assert EncryptedFiles(tmp_path, KEY).directory == tmp_path
