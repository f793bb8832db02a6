"""The database's shape, and how an older one becomes today's.

Migrations are a list, each with the version that it leads to. All that are due run in one
transaction, after a copy of the database as it was has been put beside it; so an upgrade either
happened or did not, and can be taken back by hand. A newer database is refused untouched.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from graphrelay.spool.errors import SpoolTooNew
from graphrelay.spool.sqlite.files.disk import Disk


@dataclass(frozen=True, slots=True)
class Migration:
    """SQL that leads from the version before to `version`."""

    version: int
    sql: str

    def statements(self) -> Iterator[str]:
        """One by one: `executescript` would commit the transaction that they are to run in."""
        statement = ""
        for piece in self.sql.split(";")[:-1]:
            statement += piece + ";"
            if sqlite3.complete_statement(statement):  # not inside a text or a comment
                yield statement
                statement = ""
        if statement:
            raise ValueError(f"migration {self.version} ends in the middle of {statement[:60]!r}")


def _packaged(version: int, name: str) -> Migration:
    return Migration(version, (files(__package__) / "migrations" / name).read_text("utf-8"))


def migrations() -> tuple[Migration, ...]:
    """All there are, in order."""
    names = (
        "001_mail.sql",
        "002_drafts.sql",
        "003_left_drafts.sql",
        "004_readings.sql",
        "005_turns.sql",
        "006_refusals.sql",
    )
    return tuple(_packaged(version, name) for version, name in enumerate(names, 1))


def configure(connection: sqlite3.Connection) -> None:
    """What holds for the connection that writes."""
    # Pages freed by mail that has gone can be given back in small steps. Only counts on a new file.
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    # Readers never stop the writer, and a commit is one fsync.
    connection.execute("PRAGMA journal_mode = WAL")
    # FULL syncs the WAL at each commit. NORMAL would lose acknowledged mail in a power cut.
    connection.execute("PRAGMA synchronous = FULL")
    # 16 MB: a checkpoint in the middle of a burst costs two fsyncs, so not at every 4 MB.
    connection.execute("PRAGMA wal_autocheckpoint = 4000")
    # After a large transaction the WAL's file shrinks to this again.
    connection.execute("PRAGMA journal_size_limit = 16777216")
    # Debian compiles it on: then each deleted body is first overwritten through the WAL. The mail
    # log beside it names the same people, so that the disk has to be protected anyway.
    connection.execute("PRAGMA secure_delete = OFF")
    # 16 MB, so that the indexes of a long queue stay in memory.
    connection.execute("PRAGMA cache_size = -16384")
    connection.execute("PRAGMA foreign_keys = ON")


def version_of(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(
    connection: sqlite3.Connection, path: Path, steps: Sequence[Migration], disk: Disk
) -> tuple[int, int]:
    """Bring the database to the last version; the versions before and after.

    Raises `SpoolTooNew`.
    """
    found, newest = version_of(connection), steps[-1].version
    if found > newest:
        raise SpoolTooNew(path, found, newest)
    if found == newest:
        return found, newest
    if found:
        _keep_copy(connection, path.with_name(f"{path.name}.version-{found}"), disk)
    disk.begin(connection)
    try:
        for step in steps:
            if step.version > found:
                for statement in step.statements():
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {step.version:d}")
        disk.commit(connection)
    except BaseException:
        if connection.in_transaction:
            connection.rollback()
        raise
    return found, newest


def _keep_copy(connection: sqlite3.Connection, path: Path, disk: Disk) -> None:
    """A whole database at `path`, or an exception: written under another name first."""
    partial = path.with_name(path.name + ".partial")
    disk.unlink(partial)
    descriptor = disk.create(partial)
    try:
        copy = sqlite3.connect(partial, isolation_level=None)
        try:
            connection.backup(copy)
        finally:
            copy.close()
        disk.sync(descriptor)
    finally:
        disk.close(descriptor)
    disk.rename(partial, path)
    disk.sync_directory(path.parent)
