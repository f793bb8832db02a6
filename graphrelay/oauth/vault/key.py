"""The keys of the encrypted files: 32 octets each, the current one first.

Two places, in this order:
    $CREDENTIALS_DIRECTORY/vault.key   provided by systemd, perhaps sealed to the machine
    <state directory>/vault.key        created on first use, 0600; refused if others can read it

A key file beside the files protects copies of single files, not of the whole directory: the
systemd credential is the better place, and `status` says which of the two is in use. While keys
are being changed there are two lines: the first one is used for writing, both for reading.

A second key is never created by accident: not where systemd gives one to the service alone, and
not where files exist that were encrypted with another one.
"""

import base64
import binascii
import contextlib
import hashlib
import os
import secrets
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from graphrelay.files import sync_directory
from graphrelay.oauth.vault.disk import (
    make_private,
    read_file,
    replace_file,
    write_beside,
)
from graphrelay.oauth.vault.problem import VaultFailure
from graphrelay.oauth.vault.unit import NAME, ServiceUnit

KEY_OCTETS = 32
KEY_ID_OCTETS = 8
CREDENTIAL_NAME = "vault.key"


@dataclass(frozen=True, slots=True)
class VaultKeys:
    """The current key, older ones that are still used for reading, and where they are stored."""

    current: bytes = field(repr=False)
    older: tuple[bytes, ...] = field(default=(), repr=False)
    origin: str = ""
    path: Path | None = None
    """The key file, unless it is read-only here."""

    def named(self, identity: bytes) -> bytes | None:
        """The key with this id."""
        return next((key for key in (self.current, *self.older) if key_id(key) == identity), None)


def key_id(key: bytes) -> bytes:
    """Eight octets that name a key and reveal nothing about it."""
    return hashlib.sha256(b"graphrelay vault key\0" + key).digest()[:KEY_ID_OCTETS]


def load_keys(
    state_directory: Path,
    credentials_directory: Path | None,
    encrypted: Iterable[Path] = (),
) -> VaultKeys:
    """The keys to use here. One is created if there is none and nothing is `encrypted` yet. Raises
    `VaultFailure`."""
    if credentials_directory is not None:
        credential = credentials_directory / CREDENTIAL_NAME
        if (octets := read_file(credential)) is not None:
            current, *older = _decode(octets, credential)
            return VaultKeys(current, tuple(older), f"systemd credential {CREDENTIAL_NAME}")
    path = state_directory / CREDENTIAL_NAME
    try:
        if not path.exists():
            _check_that_none_is_lost(path, encrypted)
            _make(path)
        _check_privacy(path)
    except OSError as problem:
        raise VaultFailure(
            f"The vault key {path} cannot be created or read: {problem.strerror}.",
            "Run this as the user that graphrelay runs as, and let it own the state directory.",
        ) from problem
    current, *older = _decode(read_file(path) or b"", path)
    return VaultKeys(current, tuple(older), f"key file {path}", path)


def check_that_it_is_ours(state_directory: Path, unit: ServiceUnit) -> None:
    """For a process that is not the service and has no key. Raises `VaultFailure`."""
    if unit.gives(CREDENTIAL_NAME) and unit.keeps_its_state_in(state_directory):
        raise VaultFailure(
            f"The vault's key is a systemd credential, which only {NAME} can read.",
            f"Run: sudo systemctl start {NAME.removesuffix('.service')}   and then this again: it "
            "asks the service.",
        )


def _check_that_none_is_lost(path: Path, encrypted: Iterable[Path]) -> None:
    for file in encrypted:
        raise VaultFailure(
            f"The vault's key is missing (neither a systemd credential {CREDENTIAL_NAME} nor "
            f"{path}), and the files in {file.parent} were encrypted with it.",
            "If systemd provides the key to the service, start it and run this again. Otherwise "
            f"restore the key; if it is lost, delete {file.parent} and authorize every account "
            "again.",
        )


def with_new_key(keys: VaultKeys) -> VaultKeys:
    """Put a new key before the others, on disk first. Raises `VaultFailure`."""
    path = _writable(keys)
    lines = [new_key_text(), *(_text(key) for key in (keys.current, *keys.older))]
    replace_file(path, b"".join(lines))
    current, *older = _decode(b"".join(lines), path)
    return VaultKeys(current, tuple(older), keys.origin, path)


def without_older_keys(keys: VaultKeys) -> VaultKeys:
    """Forget all but the current one, on disk first. Raises `VaultFailure`."""
    path = _writable(keys)
    replace_file(path, _text(keys.current))
    return VaultKeys(keys.current, (), keys.origin, path)


def new_key_text() -> bytes:
    """A fresh key as it stands in a file."""
    return _text(secrets.token_bytes(KEY_OCTETS))


def _text(key: bytes) -> bytes:
    return base64.b64encode(key) + b"\n"


def _writable(keys: VaultKeys) -> Path:
    if keys.path is None:
        raise VaultFailure(
            f"The {keys.origin} is read-only here.",
            "Put the new key as its first line and the old one as its second, restart graphrelay, "
            "run `graphrelay vault rotate`, then remove the second line.",
        )
    return keys.path


def _decode(octets: bytes, path: Path) -> list[bytes]:
    if len(octets) == KEY_OCTETS:
        return [octets]
    keys = [_one(line, path) for line in octets.splitlines() if line.strip()]
    return keys or [_one(b"", path)]


def _one(line: bytes, path: Path) -> bytes:
    text = line.strip()
    for decode in (bytes.fromhex, lambda text: base64.b64decode(text, validate=True)):
        with contextlib.suppress(ValueError, binascii.Error):
            key = decode(text.decode("ascii"))
            if len(key) == KEY_OCTETS:
                return key
    raise VaultFailure(
        f"The vault key {path} is not a key: {KEY_OCTETS} octets are needed, "
        "raw, in base64 or in hexadecimal.",
        "Restore the right key, or create a new one with `openssl rand -base64 32` and authorize "
        "every account again.",
    )


def _make(path: Path) -> None:
    """Written whole under another name, then linked: two processes at once agree on one key."""
    make_private(path.parent)
    draft = write_beside(path, new_key_text())
    try:
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        sync_directory(path.parent)
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def _check_privacy(path: Path) -> None:
    """As ssh does with its keys: one that others can read is refused."""
    found = path.stat()
    # Root may act for the service: what it writes here belongs to the directory's owner.
    if os.geteuid() not in (0, found.st_uid) and found.st_uid != 0:
        raise VaultFailure(
            f"The vault key {path} belongs to another user (uid {found.st_uid}).",
            f"Run: chown {os.geteuid()} {path}",
        )
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise VaultFailure(
            f"The vault key {path} can be read by others (mode {stat.S_IMODE(found.st_mode):o}).",
            f"Run: chmod 600 {path}",
        )
