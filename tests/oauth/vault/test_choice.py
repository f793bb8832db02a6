"""Which backend: predictable, said aloud, and never plain text."""

from dataclasses import replace
from pathlib import Path

import pytest
from keyring.backend import KeyringBackend

from graphrelay.oauth.vault.choice import Surroundings, choose
from graphrelay.oauth.vault.desktop import DESKTOPS
from graphrelay.oauth.vault.files import EncryptedFiles
from graphrelay.oauth.vault.key import VaultKeys
from graphrelay.oauth.vault.problem import VaultFailure


@pytest.fixture
def server(tmp_path: Path) -> Surroundings:
    return Surroundings(tmp_path, None, "linux", session_bus=False)


@pytest.fixture
def desktop(server: Surroundings, monkeypatch: pytest.MonkeyPatch) -> Surroundings:
    """A session whose Secret Service answers."""
    stand_in = EncryptedFiles(server.directory / "elsewhere", lambda: VaultKeys(b"k" * 32))
    monkeypatch.setitem(DESKTOPS, "secret-service", lambda: stand_in)
    return replace(server, session_bus=True)


def test_a_server_uses_files(server: Surroundings) -> None:
    assert str(choose("auto", server)).startswith("file (auto: no desktop session; key file ")


def test_a_desktop_uses_its_secret_service(desktop: Surroundings) -> None:
    assert choose("auto", desktop).name == "secret-service"


def test_a_desktop_whose_secret_service_is_silent_uses_files(
    desktop: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent() -> KeyringBackend:
        raise VaultFailure("no", "none")

    monkeypatch.setitem(DESKTOPS, "secret-service", silent)
    assert choose("auto", desktop).name == "file"


def test_files_that_are_in_use_stay_in_use(desktop: Surroundings) -> None:
    files = choose("file", desktop)
    files.backend.set_password("graphrelay", "website", "x")
    chosen = choose("auto", desktop)
    assert chosen.name == "file"
    assert "in use already" in chosen.reason


def test_a_key_from_systemd_means_files(desktop: Surroundings, tmp_path: Path) -> None:
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "vault.key").write_bytes(b"k" * 32)
    chosen = choose("auto", replace(desktop, credentials_directory=tmp_path / "credentials"))
    assert str(chosen) == "file (auto: systemd gave a key; systemd credential vault.key)"


@pytest.mark.parametrize(
    ("platform", "wanted"), [("darwin", "Keychain"), ("win32", "Credential Locker")]
)
def test_other_systems_use_their_own_and_nothing_else(
    server: Surroundings, platform: str, wanted: str
) -> None:
    """On this machine they cannot work, and then nothing else is taken in their place."""
    with pytest.raises(VaultFailure, match=wanted):
        choose("auto", replace(server, platform=platform))


def test_what_is_configured_is_used_or_refused(server: Surroundings) -> None:
    assert choose("file", server).name == "file"
    with pytest.raises(VaultFailure) as caught:
        choose("keychain", server)
    assert 'backend = "file"' in caught.value.remedy


def test_the_surroundings_are_read_from_the_environment(tmp_path: Path) -> None:
    environment = {"CREDENTIALS_DIRECTORY": "/run/c", "DBUS_SESSION_BUS_ADDRESS": "unix:x"}
    found = Surroundings.of_this_process(tmp_path, environment)
    assert found.credentials_directory == Path("/run/c")
    assert found.session_bus
    assert not Surroundings.of_this_process(tmp_path, {}).session_bus


def test_no_backend_that_keeps_plain_text_can_be_chosen() -> None:
    assert set(DESKTOPS) == {"secret-service", "keychain", "credential-locker"}
