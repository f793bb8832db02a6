"""Which backend holds the secrets, and why.

`auto` decides by what the machine is, always in the same way, and never for plain text:

    macOS   the Keychain
    else    encrypted files, if systemd provides a key, if there are some already, or if there is
            no desktop session whose Secret Service answers; otherwise that Secret Service
"""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from keyring.backend import KeyringBackend

from graphrelay.oauth.vault.desktop import DESKTOPS
from graphrelay.oauth.vault.files import SUFFIX, EncryptedFiles
from graphrelay.oauth.vault.key import CREDENTIAL_NAME, check_that_it_is_ours, load_keys
from graphrelay.oauth.vault.problem import VaultFailure
from graphrelay.oauth.vault.unit import ServiceUnit, is_the_service, service_unit
from graphrelay.oauth.vault.values import BackendName, Chosen, VaultPlace


@dataclass(frozen=True, slots=True)
class Choice:
    """A backend that is ready, and which one it is."""

    backend: KeyringBackend
    place: VaultPlace


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the choice depends on."""

    state_directory: Path
    credentials_directory: Path | None
    platform: str
    session_bus: bool
    """Whether a desktop session's message bus is announced."""
    is_the_service: bool = False
    """Whether systemd started this process: then it has every credential that there is."""
    unit: Callable[[], ServiceUnit] = service_unit
    """Reads what systemd gives to the service."""

    @classmethod
    def of_this_process(
        cls, state_directory: Path, environment: Mapping[str, str] = os.environ
    ) -> "Surroundings":
        credentials = environment.get("CREDENTIALS_DIRECTORY")
        return cls(
            state_directory,
            Path(credentials) if credentials else None,
            sys.platform,
            bool(environment.get("DBUS_SESSION_BUS_ADDRESS")),
            is_the_service(environment),
        )

    @property
    def directory(self) -> Path:
        return self.state_directory / "vault"

    @property
    def has_key(self) -> bool:
        """Whether systemd provided a key."""
        given = self.credentials_directory
        return given is not None and (given / CREDENTIAL_NAME).exists()

    def encrypted(self) -> list[Path]:
        """The encrypted files that exist."""
        return list(self.directory.glob(f"*{SUFFIX}"))


def choose(wanted: BackendName, around: Surroundings, why: str = "configured") -> Choice:
    """Open the backend. Blocks (disk, message bus); raises `VaultFailure`."""
    name: Chosen
    if wanted == "auto":
        name, reason = _automatic(around)
    else:
        name, reason = wanted, why
    if name == "file":
        if not (around.has_key or around.is_the_service):
            check_that_it_is_ours(around.state_directory, around.unit())
        files = EncryptedFiles(
            around.directory,
            lambda: load_keys(
                around.state_directory, around.credentials_directory, around.encrypted()
            ),
        )
        return Choice(files, VaultPlace(name, reason, files.keys.origin))
    return Choice(DESKTOPS[name](), VaultPlace(name, reason))


def _automatic(around: Surroundings) -> tuple[Chosen, str]:
    if around.platform == "darwin":
        return "keychain", "auto: macOS"
    if around.has_key:
        return "file", "auto: systemd provides a key"
    if around.encrypted():
        return "file", "auto: already in use"
    if not around.session_bus:
        return "file", "auto: no desktop session"
    try:
        DESKTOPS["secret-service"]()
    except VaultFailure:
        return "file", "auto: no Secret Service answers in this session"
    return "secret-service", "auto: the desktop session's Secret Service"
