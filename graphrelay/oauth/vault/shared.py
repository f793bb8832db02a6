"""Sealed secrets in the database that several relays share.

    sealed ── replace ──▶ is the version still the one that was read here? ──▶ written
                                                            else: Overtaken

Each host has a copy of one key. A host whose key is another one, or which has none, learns so when
the vault is opened (`KEY_CHECK`, a secret that all of them can read), and changes nothing.
"""

import contextlib
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from graphrelay.model import StorageUnavailable
from graphrelay.oauth.vault.choice import Choice, Surroundings
from graphrelay.oauth.vault.key import (
    CREDENTIAL_NAME,
    VaultKeys,
    check_that_it_is_ours,
    load_keys,
)
from graphrelay.oauth.vault.problem import VaultFailure
from graphrelay.oauth.vault.sealed import Overtaken, SealedSecrets
from graphrelay.oauth.vault.values import SERVICE, VaultPlace
from graphrelay.oauth.vault.vault import KEY_CHECK, Vault

TURN = timedelta(seconds=90)
"""How long a turn lasts at most, if its relay neither ends it nor renews: longer than a refresh may
take (entra/msal_http.py)."""
TURN_PATIENCE = 20.0
"""Seconds for which another relay's turn is waited for; meanwhile no other account is renewed."""
_LOOK_AGAIN = 0.05


class SecretTable(Protocol):
    """A table of octets by service and name. Its methods block, and raise `StorageUnavailable`."""

    def read(self, service: str, name: str) -> tuple[int, bytes] | None:
        """The version and the octets."""
        ...

    def write(self, service: str, name: str, octets: bytes, version: int) -> int | None:
        """Replace that version, 0 where there is none. The new version, or `None` where there is
        another than that."""
        ...

    def remove(self, service: str, name: str, version: int) -> bool:
        """Delete that version; whether it was there."""
        ...

    def names(self, service: str) -> list[str]: ...

    def claim(self, service: str, name: str, duration: timedelta) -> bool:
        """Whether the turn is this process's now."""
        ...

    def release(self, service: str, name: str) -> None:
        """End this process's turn."""
        ...


class Database:
    """sealed.Store. Used by the vault's thread, but for `turn`."""

    other_key_remedy = (
        "Give this host the key of the other relays, and start graphrelay again: the systemd "
        f"credential {CREDENTIAL_NAME}, or the file {CREDENTIAL_NAME} in its state directory. "
        "Nothing was changed in the database."
    )
    shared = True

    def __init__(self, table: SecretTable) -> None:
        self._table = table
        self._read: dict[tuple[str, str], int] = {}
        """The version of each secret that was read last."""

    def called(self, service: str, username: str) -> str:
        if service == KEY_CHECK:
            return "The vault in the database"
        return f"The secret {username!r} in the database"

    def read(self, service: str, username: str) -> bytes | None:
        with _translated("read"):
            found = self._table.read(service, username)
        version, octets = found or (0, None)
        self._read[service, username] = version
        return octets

    def replace(self, service: str, username: str, octets: bytes) -> None:
        version = self._read.get((service, username), 0)
        with _translated("written"):
            written = self._table.write(service, username, octets, version)
        if written is None:
            raise Overtaken
        self._read[service, username] = written

    def remove(self, service: str, username: str) -> bool:
        version = self._read.pop((service, username), 0)
        if not version:
            return False
        with _translated("written"):
            if not self._table.remove(service, username, version):
                raise Overtaken
        return True

    def names(self, service: str) -> Iterator[str]:
        with _translated("read"):
            return iter(self._table.names(service))

    @contextlib.contextmanager
    def turn(self, service: str, username: str) -> Iterator[None]:
        """After a failure it is kept until its time ends, and may be taken up again here: what
        could not be written is then written before another relay begins with what is older."""
        gives_up = time.monotonic() + TURN_PATIENCE
        while not self._claim(service, username):
            if time.monotonic() > gives_up:
                raise VaultFailure(
                    f"Another relay has been renewing {username!r} for {TURN_PATIENCE:.0f} s.",
                    "It is tried again.",
                    passes=True,
                )
            time.sleep(_LOOK_AGAIN)
        yield
        with contextlib.suppress(StorageUnavailable):  # then it ends with its time
            self._table.release(service, username)

    def _claim(self, service: str, username: str) -> bool:
        with _translated("written"):
            return self._table.claim(service, username, TURN)


@contextlib.contextmanager
def _translated(verb: str) -> Iterator[None]:
    try:
        yield
    except StorageUnavailable as problem:
        raise VaultFailure(
            f"The vault in the database cannot be {verb}: {problem}", "", passes=True
        ) from problem


def open_shared_vault(
    state_directory: Path, table: SecretTable, around: Surroundings | None = None
) -> Vault:
    """A vault for all relays with this table; the key is this host's. Nothing is touched before it
    is used."""
    here = around or Surroundings.of_this_process(state_directory)
    return Vault(lambda: _choose(here, table), state_directory / "vault.lock")


def _choose(around: Surroundings, table: SecretTable) -> Choice:
    """Raises `VaultFailure`."""
    if not (around.has_key or around.is_the_service):
        check_that_it_is_ours(around.state_directory, around.unit())
    secrets = SealedSecrets(Database(table), lambda: _keys(around, table))
    _check_key(secrets)
    return Choice(secrets, VaultPlace("database", "[spool] url", secrets.keys.origin))


def _keys(around: Surroundings, table: SecretTable) -> VaultKeys:
    """One is created only by the first relay, if none was given to it."""
    path = around.state_directory / CREDENTIAL_NAME
    if not (around.has_key or path.exists()):
        with _translated("read"):
            in_use = any(table.names(service) for service in (KEY_CHECK, SERVICE))
        if in_use:
            raise VaultFailure(
                f"The vault's key is missing on this host (neither a systemd credential "
                f"{CREDENTIAL_NAME} nor {path}), and the authorizations in the database were "
                "encrypted with it.",
                f"Copy it from another relay: {path}, readable by the relay's user alone, or the "
                "credential.",
            )
    return load_keys(around.state_directory, around.credentials_directory)


def _check_key(secrets: SealedSecrets) -> None:
    """Raises `VaultFailure` where the key here is not that of the database."""
    if secrets.get_password(KEY_CHECK, KEY_CHECK) is None:
        for name in secrets.names(SERVICE):  # that were copied here
            secrets.get_password(SERVICE, name)
        try:
            secrets.set_password(KEY_CHECK, KEY_CHECK, "graphrelay")
        except Overtaken:  # by a relay that started at the same time
            secrets.get_password(KEY_CHECK, KEY_CHECK)
