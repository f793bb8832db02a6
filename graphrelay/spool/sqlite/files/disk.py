"""The border to the operating system: every durable step of the spool goes through one of these.

Nothing else in this package writes, syncs, unlinks or commits. So a test can replace `Disk` to make
any single step fail, write less than asked, or be the last one before a crash; and this file lists
all steps at which a crash can leave something behind.
"""

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

STATEMENTS = 256
"""How many statements stay prepared: see bulk_insert.py."""

_FULL = 2


class Disk:
    """This machine's file system and SQLite."""

    # Files ---------------------------------------------------------------------------------------

    def create(self, path: Path) -> int:
        """Create a file that only its owner can read and write. Returns the descriptor."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

    def write(self, descriptor: int, octets: memoryview) -> int:
        """Append some of `octets`. Returns how many, which may be fewer than all."""
        return os.write(descriptor, octets)

    def sync(self, descriptor: int) -> None:
        """Flush the file's octets and size to the disk. Never repeated: after a failed fsync the
        kernel may have dropped the pages, and a second one would claim success."""
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def sync_directory(self, path: Path) -> None:
        """Flush the names in a directory to the disk."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        old.rename(new)

    def link(self, file: Path, name: Path) -> None:
        """Add a second name for a file."""
        name.hardlink_to(file)

    def unlink(self, path: Path) -> None:
        """Delete the file if it exists."""
        with suppress(FileNotFoundError):
            path.unlink()

    def make_directory(self, path: Path) -> None:
        """Create the directory if it does not exist, and remove access for all but its owner."""
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.stat().st_mode & 0o077:
            path.chmod(0o700)

    def free(self, path: Path) -> int:
        """Octets that this user can still write on the file system that holds `path`."""
        room = os.statvfs(path)
        return room.f_bavail * room.f_frsize

    # The database --------------------------------------------------------------------------------

    def connect(self, path: Path) -> sqlite3.Connection:
        """The connection that writes. Transactions are begun and ended explicitly."""
        return sqlite3.connect(
            path,
            isolation_level=None,
            check_same_thread=False,
            timeout=5,
            cached_statements=STATEMENTS,
        )

    def connect_to_read(self, path: Path) -> sqlite3.Connection:
        """A read-only connection, which never checkpoints."""
        address = f"{path.absolute().as_uri()}?mode=ro"
        return sqlite3.connect(
            address, uri=True, isolation_level=None, check_same_thread=False, timeout=5
        )

    def sync_commits(self, connection: sqlite3.Connection, on: bool) -> None:
        """Whether the next commits are synced. One that is not survives this process, since the
        kernel has its octets, but perhaps not the machine; it cannot damage the database, and the
        next synced one syncs it as well (https://www.sqlite.org/pragma.html#pragma_synchronous).
        """
        connection.execute(f"PRAGMA synchronous = {'FULL' if on else 'NORMAL'}")
        [level] = connection.execute("PRAGMA synchronous").fetchone()
        if (level >= _FULL) != on:
            raise sqlite3.OperationalError(f"cannot turn syncing {'on' if on else 'off'}")

    def begin(self, connection: sqlite3.Connection) -> None:
        if connection.in_transaction:
            raise sqlite3.OperationalError("a transaction is open already")
        # execute() would release the GIL five times (bulk_insert.py), this does it once.
        connection.executescript("BEGIN IMMEDIATE")

    def commit(self, connection: sqlite3.Connection) -> None:
        """The commit point of the relay: when this returns, and commits are synced, the relay is
        responsible for the mail.
        """
        if not connection.in_transaction:
            raise sqlite3.OperationalError("no transaction is open")
        connection.commit()  # as in `begin`
