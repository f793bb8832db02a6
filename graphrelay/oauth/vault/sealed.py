"""graphrelay's own keyring backend: each secret encrypted, and put into a store.

    sealed = "GRV1" · key id (8) · nonce (12) · AES-256-GCM(secret), the name bound in

For servers, where no desktop keyring runs. The name is authenticated with the secret, so one that
was put in place of another one is detected. The key id is not secret: it distinguishes "written
with another key" from "damaged", and one of two keys from the other while they are being changed.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

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


class Overtaken(Exception):  # noqa: N818 (a condition, not a programming error)
    """Another relay has changed the secret since it was read here."""


class Store(Protocol):
    """Keeps sealed secrets. Every method raises `VaultFailure`."""

    other_key_remedy: str
    """What to do where secrets were encrypted with a key that is not here."""
    shared: bool
    """Whether other hosts, with copies of the key, use it too."""

    def called(self, service: str, username: str) -> str:
        """A secret, for people."""
        ...

    def read(self, service: str, username: str) -> bytes | None: ...

    def replace(self, service: str, username: str, octets: bytes) -> None:
        """As a whole or not at all. A shared store raises `Overtaken` where another relay has
        changed it since it was read here."""
        ...

    def remove(self, service: str, username: str) -> bool:
        """Whether there was one. Raises as `replace` does."""
        ...

    def names(self, service: str) -> Iterator[str]:
        """Sorted."""
        ...

    def turn(self, service: str, username: str) -> AbstractContextManager[None]:
        """While it lasts, no other relay is in its own."""
        ...


class SealedSecrets(KeyringBackend):
    """Every method raises `VaultFailure`."""

    priority = 0.1

    def __init__(self, store: Store, load_keys: Callable[[], VaultKeys]) -> None:
        # Not KeyringBackend.__init__: it would let KEYRING_PROPERTY_* variables set our fields.
        self.store = store
        self.keys = load_keys()
        self._load_keys = load_keys

    def get_password(self, service: str, username: str) -> str | None:
        """The secret, or `None` where there is none."""
        octets = self.store.read(service, username)
        return None if octets is None else self._open(octets, service, username)

    def set_password(self, service: str, username: str, password: str) -> None:
        """Replace it atomically. The keys are read again first: another process may have changed
        them, and what is written with a removed key can never be read."""
        self.keys = self._load_keys()
        nonce = os.urandom(NONCE_OCTETS)
        head = MAGIC + key_id(self.keys.current)
        bound = head + _name(service, username)
        sealed = AESGCM(self.keys.current).encrypt(nonce, password.encode(), bound)
        self.store.replace(service, username, head + nonce + sealed)

    def delete_password(self, service: str, username: str) -> None:
        """Remove it. Raises `PasswordDeleteError` where there is none, as keyring wants."""
        if not self.store.remove(service, username):
            raise PasswordDeleteError("There is no such secret.")

    def names(self, service: str) -> Iterator[str]:
        """The names that are stored for `service`, sorted."""
        return self.store.names(service)

    def rotate(self, *services: str) -> int:
        """Encrypt everything with a new key. Returns the number of secrets.

            keys: new, old ─▶ every secret with new ─▶ keys: new

        A crash in between leaves both keys, so every secret can be read, and rotating again
        completes the change. An older key that was added by hand is removed in the same way. Where
        other hosts need the key too, both must have been given to all of them before.
        """
        self.keys = self._load_keys()
        if not self.keys.older:
            if self.store.shared:
                raise VaultFailure(
                    "The vault is shared, and a new key made here would be missing elsewhere.",
                    "On each host add the new key (`openssl rand -base64 32`) as the second line "
                    "of vault.key, and restart graphrelay. When all have it, make it the first "
                    "line on each, restart, run `graphrelay vault rotate` on one host, and remove "
                    "the second lines.",
                )
            self.keys = with_new_key(self.keys)
        every = [(service, name) for service in services for name in self.names(service)]
        for service, name in every:
            if (secret := self.get_password(service, name)) is not None:
                self.set_password(service, name, secret)
        if self.keys.path is not None and not self.store.shared:
            self.keys = without_older_keys(self.keys)
        return len(every)

    def _open(self, octets: bytes, service: str, username: str) -> str:
        called = self.store.called(service, username)
        head = octets[: len(MAGIC) + KEY_ID_OCTETS]
        if len(octets) < HEAD_OCTETS or not head.startswith(MAGIC):
            raise _damaged(called)
        key = self._key_named(head[len(MAGIC) :], called)
        nonce, sealed = octets[len(head) : HEAD_OCTETS], octets[HEAD_OCTETS:]
        bound = head + _name(service, username)
        try:
            return AESGCM(key).decrypt(nonce, sealed, bound).decode()
        except (InvalidTag, UnicodeDecodeError) as problem:
            raise _damaged(called) from problem

    def _key_named(self, identity: bytes, called: str) -> bytes:
        """Another process may have rotated the key since ours was read."""
        key = self.keys.named(identity)
        if key is None:
            self.keys = self._load_keys()
            key = self.keys.named(identity)
        if key is None:
            raise VaultFailure(
                f"{called} was encrypted with another key than the {self.keys.origin}.",
                self.store.other_key_remedy,
            )
        return key


def _name(service: str, username: str) -> bytes:
    return f"{service}\0{username}".encode()


def _damaged(called: str) -> VaultFailure:
    return VaultFailure(
        f"{called} is damaged, or is not the one of this name.",
        "Restore it from a backup, or delete it and authorize the account again.",
    )
