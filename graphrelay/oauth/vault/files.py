"""graphrelay's own keyring backend: one encrypted file for each secret.

    file = "GRV1" · key id (8) · nonce (12) · AES-256-GCM(secret), the name bound in

For servers, where no desktop keyring runs. The name is authenticated with the secret, so a file
that was renamed over another one is detected. The key id is not secret: it distinguishes "written
with another key" from "damaged", and one of two keys from the other while they are being changed.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, unquote

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

from graphrelay.oauth.vault.disk import read_file, remove_file, replace_file
from graphrelay.oauth.vault.key import (
    KEY_ID_OCTETS,
    VaultKeys,
    key_id,
    with_new_key,
    without_older_keys,
)
from graphrelay.oauth.vault.problem import VaultFailure

MAGIC = b"GRV1"
NONCE_OCTETS = 12
HEAD_OCTETS = len(MAGIC) + KEY_ID_OCTETS + NONCE_OCTETS
SUFFIX = ".secret"


class EncryptedFiles(KeyringBackend):
    """Secrets as files under `directory`. Every verb raises `VaultFailure`."""

    priority = 0.1

    def __init__(self, directory: Path, load_keys: Callable[[], VaultKeys]) -> None:
        # Not KeyringBackend.__init__: it would let KEYRING_PROPERTY_* variables set our fields.
        self.directory = directory
        self.keys = load_keys()
        self._load_keys = load_keys

    def get_password(self, service: str, username: str) -> str | None:
        """The secret, or `None` where there is none."""
        path = self._path(service, username)
        octets = read_file(path)
        return None if octets is None else self._open(octets, path, _name(service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        """Replace it atomically. The keys are read again first: another process may have changed
        them, and what is written with a removed key can never be read."""
        self.keys = self._load_keys()
        nonce = os.urandom(NONCE_OCTETS)
        head = MAGIC + key_id(self.keys.current)
        bound = head + _name(service, username)
        sealed = AESGCM(self.keys.current).encrypt(nonce, password.encode(), bound)
        replace_file(self._path(service, username), head + nonce + sealed)

    def delete_password(self, service: str, username: str) -> None:
        """Remove it. Raises `PasswordDeleteError` where there is none, as keyring wants."""
        if not remove_file(self._path(service, username)):
            raise PasswordDeleteError("There is no such secret.")

    def names(self, service: str) -> Iterator[str]:
        """The names that are stored for `service`, sorted."""
        prefix = f"{quote(service, safe='')}+"
        for path in sorted(self.directory.glob(f"*{SUFFIX}")):
            if path.name.startswith(prefix):
                yield unquote(path.name[len(prefix) : -len(SUFFIX)])

    def rotate(self, service: str) -> int:
        """Encrypt everything with a new key. Returns the number of secrets.

            keys: new, old ─▶ every file with new ─▶ keys: new

        A crash in between leaves both keys, so every file can be read, and rotating again
        completes the change. An older key that was added by hand is removed in the same way.
        """
        self.keys = self._load_keys()
        if not self.keys.older:
            self.keys = with_new_key(self.keys)
        names = list(self.names(service))
        for name in names:
            if (secret := self.get_password(service, name)) is not None:
                self.set_password(service, name, secret)
        if self.keys.path is not None:
            self.keys = without_older_keys(self.keys)
        return len(names)

    def _path(self, service: str, username: str) -> Path:
        return self.directory / f"{quote(service, safe='')}+{quote(username, safe='')}{SUFFIX}"

    def _open(self, octets: bytes, path: Path, name: bytes) -> str:
        head = octets[: len(MAGIC) + KEY_ID_OCTETS]
        if len(octets) < HEAD_OCTETS or not head.startswith(MAGIC):
            raise _damaged(path)
        key = self._key_named(head[len(MAGIC) :], path)
        nonce, sealed = octets[len(head) : HEAD_OCTETS], octets[HEAD_OCTETS:]
        try:
            return AESGCM(key).decrypt(nonce, sealed, head + name).decode()
        except (InvalidTag, UnicodeDecodeError) as problem:
            raise _damaged(path) from problem

    def _key_named(self, identity: bytes, path: Path) -> bytes:
        """Another process may have rotated the key since ours was read."""
        key = self.keys.named(identity)
        if key is None:
            self.keys = self._load_keys()
            key = self.keys.named(identity)
        if key is None:
            raise VaultFailure(
                f"The vault file {path} was encrypted with another key than the "
                f"{self.keys.origin}.",
                "Put the old key back, or authorize the account again.",
            )
        return key


def _name(service: str, username: str) -> bytes:
    return f"{service}\0{username}".encode()


def _damaged(path: Path) -> VaultFailure:
    return VaultFailure(
        f"The vault file {path} is damaged, or is not the file of this name.",
        "Restore it from a backup, or delete it and authorize the account again.",
    )
