"""The key of the encrypted files: 32 octets that are never beside nothing.

Two places, in this order:
    $CREDENTIALS_DIRECTORY/vault.key   given by systemd (which may keep it sealed to the machine)
    <state directory>/vault.key        made on first use, 0600; refused if others could read it

A key file beside the files protects copies of single files, not of the whole directory: the
systemd credential is the better place, and `status` says which of the two is in use.
"""

import base64
import binascii
import contextlib
import os
import secrets
import stat
import sys
from dataclasses import dataclass, field
from pathlib import Path

from graphrelay.oauth.vault.disk import read_file, sync_directory
from graphrelay.oauth.vault.problem import VaultFailure

KEY_OCTETS = 32
CREDENTIAL_NAME = "vault.key"


@dataclass(frozen=True, slots=True)
class VaultKey:
    """A key and where it came from, for people."""

    octets: bytes = field(repr=False)
    origin: str


def load_key(state_directory: Path, credentials_directory: Path | None) -> VaultKey:
    """The key to use here; made if there is none yet. Raises `VaultFailure`."""
    if credentials_directory is not None:
        credential = credentials_directory / CREDENTIAL_NAME
        if (octets := read_file(credential)) is not None:
            return VaultKey(_decode(octets, credential), f"systemd credential {CREDENTIAL_NAME}")
    path = state_directory / CREDENTIAL_NAME
    try:
        if not path.exists():
            _make(path)
        _check_privacy(path)
    except OSError as problem:
        raise VaultFailure(
            f"The vault key {path} cannot be made or read: {problem.strerror}.",
            "Run this as the user that graphrelay runs as, and let it own the state directory.",
        ) from problem
    return VaultKey(_decode(read_file(path) or b"", path), f"key file {path}")


def new_key_text() -> bytes:
    """A fresh key as it stands in a file."""
    return base64.b64encode(secrets.token_bytes(KEY_OCTETS)) + b"\n"


def _decode(octets: bytes, path: Path) -> bytes:
    if len(octets) == KEY_OCTETS:
        return octets
    text = octets.strip()
    for decode in (bytes.fromhex, lambda text: base64.b64decode(text, validate=True)):
        with contextlib.suppress(ValueError, binascii.Error):
            key = decode(text.decode("ascii"))
            if len(key) == KEY_OCTETS:
                return key
    raise VaultFailure(
        f"The vault key {path} is not a key: {KEY_OCTETS} octets are needed, "
        "raw, in base64 or in hexadecimal.",
        "Put the right key back, or make a new one with `openssl rand -base64 32` "
        "and authorize every account again.",
    )


def _make(path: Path) -> None:
    """Made whole under another name, then linked: two processes at once agree on one key."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(new_key_text())
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        sync_directory(path.parent)
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def _check_privacy(path: Path) -> None:
    """As ssh does with its keys: a key that others may read is no key."""
    if sys.platform == "win32":
        return
    found = path.stat()
    if found.st_uid not in (os.geteuid(), 0):
        raise VaultFailure(
            f"The vault key {path} belongs to another user (uid {found.st_uid}).",
            f"Run: chown {os.geteuid()} {path}",
        )
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise VaultFailure(
            f"The vault key {path} can be read by others (mode {stat.S_IMODE(found.st_mode):o}).",
            f"Run: chmod 600 {path}",
        )
