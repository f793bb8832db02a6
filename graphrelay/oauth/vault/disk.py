"""Replacing a small file so that a crash leaves either the old or the new one, whole.

write beside it → fsync → rename over it → fsync the directory
"""

import contextlib
import os
from pathlib import Path

from graphrelay import files
from graphrelay.files import sync_directory
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
    try:
        make_private(path.parent)
        draft = write_beside(path, octets)
        try:
            draft.replace(path)
            sync_directory(path.parent)
        except OSError:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)
            raise
    except OSError as problem:
        raise _failure("written", path, problem) from problem


def write_beside(path: Path, octets: bytes) -> Path:
    """The same octets under another name in the same directory, on disk, with the directory's
    owner. Raises `OSError`."""
    return files.write_beside(path, octets, lambda descriptor: own_like(path.parent, descriptor))


def make_private(directory: Path) -> None:
    """Create a directory that only its owner may enter, if there is none. Raises `OSError`."""
    if not directory.is_dir():
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        own_like(directory.parent, directory)


def own_like(directory: Path, what: "int | Path") -> None:
    """Give what root creates in the service's directory to the service, which must read it."""
    if os.geteuid() == 0:
        owner = directory.stat()
        os.chown(what, owner.st_uid, owner.st_gid)


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


def _failure(verb: str, path: Path, problem: OSError) -> VaultFailure:
    return VaultFailure(
        f"The vault file {path} cannot be {verb}: {problem.strerror}.",
        "Check the disk, run this as the user that graphrelay runs as, and let it own the state "
        "directory.",
    )
