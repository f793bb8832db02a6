"""Replacing a small file so that a crash leaves the old or the new one, whole.

write beside it → fsync → rename over it → fsync the directory
"""

import contextlib
import os
import secrets
import sys
from pathlib import Path

from graphrelay.oauth.vault.problem import VaultFailure


def read_file(path: Path) -> bytes | None:
    """`None` where there is none. Raises `VaultFailure`."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise _failure("read", path, problem) from problem


def replace_file(path: Path, octets: bytes) -> None:
    """Readable by the owner alone. Raises `VaultFailure`; the old file is then untouched."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        sync_directory(path.parent)
    except OSError as problem:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise _failure("written", path, problem) from problem


def remove_file(path: Path) -> bool:
    """Whether there was one. Raises `VaultFailure`."""
    try:
        path.unlink()
        sync_directory(path.parent)
    except FileNotFoundError:
        return False
    except OSError as problem:
        raise _failure("removed", path, problem) from problem
    return True


def sync_directory(path: Path) -> None:
    """Make a rename survive power loss. Windows has no such call; NTFS journals it."""
    if sys.platform == "win32":
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _failure(verb: str, path: Path, problem: OSError) -> VaultFailure:
    return VaultFailure(
        f"The vault file {path} cannot be {verb}: {problem.strerror}.",
        "Check the disk, run this as the user that graphrelay runs as, and let it own the state "
        "directory.",
    )
