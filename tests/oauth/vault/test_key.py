"""The vault's key: provided by systemd, or created once and private."""

import base64
import os
import stat
import threading
from pathlib import Path

import pytest

from graphrelay.oauth.vault.key import load_keys, new_key_text
from graphrelay.oauth.vault.problem import VaultFailure

KEY = bytes(range(32))


def test_a_key_is_made_on_first_use_and_found_again(tmp_path: Path) -> None:
    first = load_keys(tmp_path / "state", None)
    assert len(first.current) == 32
    assert load_keys(tmp_path / "state", None) == first
    assert stat.S_IMODE((tmp_path / "state" / "vault.key").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["vault.key"]


@pytest.mark.parametrize(
    "text",
    [KEY, base64.b64encode(KEY), base64.b64encode(KEY) + b"\n", KEY.hex().encode() + b"\r\n"],
)
def test_a_systemd_credential_is_accepted_in_any_usual_form(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "vault.key").write_bytes(text)
    key = load_keys(tmp_path / "state", tmp_path)
    assert key.current == KEY
    assert key.origin == "systemd credential vault.key"
    assert not (tmp_path / "state").exists()


def test_without_the_credential_the_key_file_is_used(tmp_path: Path) -> None:
    (tmp_path / "credentials").mkdir()
    key = load_keys(tmp_path / "state", tmp_path / "credentials")
    assert key.origin == f"key file {tmp_path / 'state' / 'vault.key'}"


@pytest.mark.parametrize("text", [b"", b"short", b"x" * 31, b"x" * 33, b"\xff" * 40, b"=" * 44])
def test_what_is_not_a_key_is_refused_with_the_way_to_make_one(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "vault.key").write_bytes(text)
    with pytest.raises(VaultFailure, match="is not a key") as caught:
        load_keys(tmp_path / "state", tmp_path)
    assert "openssl rand -base64 32" in caught.value.remedy


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    load_keys(tmp_path, None)
    (tmp_path / "vault.key").chmod(mode)
    with pytest.raises(VaultFailure, match="can be read by others") as caught:
        load_keys(tmp_path, None)
    assert "chmod 600" in caught.value.remedy


def test_a_key_file_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_keys(tmp_path, None)
    somebody, owner = 12345, (tmp_path / "vault.key").stat().st_uid
    if owner == 0:
        os.chown(tmp_path / "vault.key", 54321, -1)
    monkeypatch.setattr(os, "geteuid", lambda: somebody)
    with pytest.raises(VaultFailure, match="another user"):
        load_keys(tmp_path, None)


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(VaultFailure, match="cannot be created or read"):
        load_keys(tmp_path / "state", None)


def test_many_at_once_agree_on_one_key(tmp_path: Path) -> None:
    found: list[bytes] = []
    start = threading.Barrier(8)

    def first_use() -> None:
        start.wait()
        found.append(load_keys(tmp_path, None).current)

    threads = [threading.Thread(target=first_use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1


def test_a_key_is_never_shown(tmp_path: Path) -> None:
    key = load_keys(tmp_path, None)
    assert str(key.current) not in repr(key)


def test_two_new_keys_differ() -> None:
    assert new_key_text() != new_key_text()


# --- Never a second one --------------------------------------------------------------------------


def test_a_lost_key_is_not_replaced_while_something_was_encrypted_with_it(tmp_path: Path) -> None:
    files = [tmp_path / "vault" / "graphrelay+website.secret"]
    with pytest.raises(VaultFailure, match="were encrypted with it") as caught:
        load_keys(tmp_path, None, files)
    assert f"delete {tmp_path / 'vault'}" in caught.value.remedy
    assert not (tmp_path / "vault.key").exists()
