"""Writing a small file so that a crash leaves the old or the new one, whole.

    write_beside ──▶ rename or link to its name ──▶ sync_directory

The spool does not use this: each of its durable steps goes through its own Disk, where tests let
any one of them fail.
"""

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path


def write_beside(path: Path, octets: bytes, own: Callable[[int], None]) -> Path:
    """Write and sync a new file in the directory of `path`, under a name of its own, readable by
    us alone until `own`, which is given the descriptor, has set its owner and mode. Raises
    `OSError`, and then leaves nothing behind."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            own(file.fileno())
            file.write(octets)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise
    return draft


def sync_directory(path: Path) -> None:
    """Let names that were created, renamed or removed in a directory survive a power loss."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
