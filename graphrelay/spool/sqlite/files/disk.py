"""The border to the operating system: every durable step of the spool goes through one of these.

Nothing else in this room writes, syncs, unlinks or commits. So a test puts another `Disk` here
and makes any single step fail, fall short, or be the last thing that the process ever did; and
this page is the list of all steps at which a crash can leave something behind.
"""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

STATEMENTS = 256
"""How many stay prepared: see insert.py."""


class Disk:
    """This machine's file system and SQLite."""

    # Files ---------------------------------------------------------------------------------

    def create(self, path: Path) -> int:
        """A new file, readable and writable by us alone; the descriptor."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def write(self, descriptor: int, octets: memoryview) -> int:
        """Append some of `octets`; how many. May be fewer than given."""
        return os.write(descriptor, octets)

    def sync(self, descriptor: int) -> None:
        """The file's octets and size are on the disk. Never tried twice: after a failed fsync the
        kernel may have dropped the pages, and a second one would claim success."""
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def sync_directory(self, path: Path) -> None:
        """The names in a directory are on the disk."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        old.rename(new)

    def link(self, file: Path, name: Path) -> None:
        """A second name for a file."""
        name.hardlink_to(file)

    def unlink(self, path: Path) -> None:
        """Gone, or was not there."""
        with suppress(FileNotFoundError):
            path.unlink()

    def make_directory(self, path: Path) -> None:
        """There, and closed to everybody else."""
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.stat().st_mode & 0o077:
            path.chmod(0o700)

    def free(self, path: Path) -> int:
        """Octets that we may still write on the file system that holds `path`."""
        room = os.statvfs(path)
        return room.f_bavail * room.f_frsize

    # The database --------------------------------------------------------------------------

    def connect(self, path: Path) -> sqlite3.Connection:
        """The connection that writes. Transactions are begun and ended by us alone."""
        return sqlite3.connect(
            path,
            isolation_level=None,
            check_same_thread=False,
            timeout=5,
            cached_statements=STATEMENTS,
        )

    def connect_to_read(self, path: Path) -> sqlite3.Connection:
        """A connection that cannot write, and so never checkpoints."""
        address = f"{path.absolute().as_uri()}?mode=ro"
        return sqlite3.connect(
            address, uri=True, isolation_level=None, check_same_thread=False, timeout=5
        )

    def begin(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")

    def commit(self, connection: sqlite3.Connection) -> None:
        """The commit point of the relay: when this returns, the mail is ours."""
        connection.execute("COMMIT")
