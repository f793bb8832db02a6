"""Which backend: predictable, with the reason shown, and never plain text."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from keyring.backend import KeyringBackend

from graphrelay.oauth.vault.choice import Surroundings, choose
from graphrelay.oauth.vault.desktop import DESKTOPS
from graphrelay.oauth.vault.files import EncryptedFiles
from graphrelay.oauth.vault.key import VaultKeys, load_keys
from graphrelay.oauth.vault.problem import VaultFailure
from graphrelay.oauth.vault.unit import ServiceUnit
from graphrelay.oauth.vault.values import BackendName
from tests.oauth.conftest import files_only


@pytest.fixture
def server(tmp_path: Path) -> Surroundings:
    return files_only(tmp_path)


@pytest.fixture
def desktop(server: Surroundings, monkeypatch: pytest.MonkeyPatch) -> Surroundings:
    """A session whose Secret Service answers."""
    stand_in = EncryptedFiles(server.directory / "elsewhere", lambda: VaultKeys(b"k" * 32))
    monkeypatch.setitem(DESKTOPS, "secret-service", lambda: stand_in)
    return replace(server, session_bus=True)


def test_a_server_uses_files(server: Surroundings) -> None:
    assert str(choose("auto", server).place).startswith("file (auto: no desktop session; key file ")


def test_a_desktop_uses_its_secret_service(desktop: Surroundings) -> None:
    assert choose("auto", desktop).place.name == "secret-service"


def test_a_desktop_whose_secret_service_is_silent_uses_files(
    desktop: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent() -> KeyringBackend:
        raise VaultFailure("no", "none")

    monkeypatch.setitem(DESKTOPS, "secret-service", silent)
    assert choose("auto", desktop).place.name == "file"


def test_files_that_are_in_use_stay_in_use(desktop: Surroundings) -> None:
    files = choose("file", desktop)
    files.backend.set_password("graphrelay", "website", "x")
    chosen = choose("auto", desktop)
    assert chosen.place.name == "file"
    assert "already in use" in chosen.place.reason


def test_a_key_from_systemd_means_files(desktop: Surroundings, tmp_path: Path) -> None:
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials" / "vault.key").write_bytes(b"k" * 32)
    chosen = choose("auto", replace(desktop, credentials_directory=tmp_path / "credentials"))
    assert str(chosen.place) == "file (auto: systemd provides a key; systemd credential vault.key)"


def test_macos_uses_its_keychain_and_nothing_else(server: Surroundings) -> None:
    """It cannot work on this machine, and no other backend may replace it."""
    with pytest.raises(VaultFailure, match="Keychain"):
        choose("auto", replace(server, platform="darwin"))


def test_what_is_configured_is_used_or_refused(server: Surroundings) -> None:
    assert choose("file", server).place.name == "file"
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
    assert set(DESKTOPS) == {"secret-service", "keychain"}


# --- A key that only the service gets ------------------------------------------------------


Around = Callable[..., Surroundings]


@pytest.fixture
def around(tmp_path: Path) -> Around:
    """A machine whose service has its state in `state`, and a key as a credential."""
    unit = ServiceUnit(("vault.key",), (tmp_path / "state",))

    def make(state: Path, credentials: Path | None = None, service: bool = False) -> Surroundings:
        return replace(
            files_only(state),
            credentials_directory=credentials,
            is_the_service=service,
            unit=lambda: unit,
        )

    return make


@pytest.mark.parametrize("wanted", ["auto", "file"])
def test_no_other_process_creates_a_key_of_its_own(
    tmp_path: Path, around: Around, wanted: BackendName
) -> None:
    with pytest.raises(VaultFailure, match="systemd credential") as caught:
        choose(wanted, around(tmp_path / "state"))
    assert "sudo systemctl start graphrelay" in caught.value.remedy
    assert not (tmp_path / "state" / "vault.key").exists()


def test_no_other_process_uses_an_older_key_file(tmp_path: Path, around: Around) -> None:
    load_keys(tmp_path / "state", None)
    with pytest.raises(VaultFailure, match="systemd credential"):
        choose("file", around(tmp_path / "state"))


def test_the_service_uses_the_credential_that_it_was_given(tmp_path: Path, around: Around) -> None:
    """The unit may have been edited since it was started."""
    assert "key file" in choose("file", around(tmp_path / "state", service=True)).place.reason
    (tmp_path / "vault.key").write_bytes(b"k" * 32)
    assert "systemd credential" in choose("file", around(tmp_path / "state", tmp_path)).place.reason


def test_another_state_directory_does_not_belong_to_the_service(
    tmp_path: Path, around: Around
) -> None:
    assert choose("file", around(tmp_path / "elsewhere")).place.name == "file"
