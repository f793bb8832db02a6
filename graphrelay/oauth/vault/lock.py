"""A lock between processes, held while a secret is read, decided about and replaced.

So a refresh in one process never undoes an authorization that another one stored meanwhile. The
operating system releases the lock when its holder dies.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from graphrelay.oauth.vault.disk import make_private, own_like
from graphrelay.oauth.vault.problem import VaultFailure


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock. Blocks the thread; raises `VaultFailure` where it cannot be locked."""
    try:
        make_private(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        own_like(path.parent, descriptor)
    except OSError as problem:
        raise VaultFailure(
            f"The vault cannot be locked with {path}: {problem.strerror}.",
            "Make the state directory writable for the user that graphrelay runs as.",
        ) from problem
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)  # This releases the lock.
