"""The schema of the database, and the migration of older ones.

Migrations are a list, each with the version that it leads to. All that are needed run in one
transaction, after the database has been copied; so an upgrade happens completely or not at all, and
can be undone by hand. A newer database is refused and not changed.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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
    # Without importlib.resources, which loads all it needs for ZIP files with the first call.
    path = Path(__file__).parent / "migrations" / name
    return Migration(version, path.read_text("utf-8"))


def migrations() -> tuple[Migration, ...]:
    """All migrations, in order."""
    names = (
        "001_mail.sql",
        "002_drafts.sql",
        "003_left_drafts.sql",
        "004_readings.sql",
        "005_turns.sql",
        "006_refusals.sql",
        "007_states.sql",
    )
    return tuple(_packaged(version, name) for version, name in enumerate(names, 1))


def configure(connection: sqlite3.Connection) -> None:
    """Settings of the connection that writes."""
    # Pages freed by deleted mail can be returned to the file system in small steps. Only has an
    # effect on a new file.
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    # Readers never block the writer, and a commit is one fsync.
    connection.execute("PRAGMA journal_mode = WAL")
    # FULL syncs the WAL at each commit. NORMAL would lose acknowledged mail in a power cut.
    connection.execute("PRAGMA synchronous = FULL")
    # 16 MB: a checkpoint during a burst costs two fsyncs, so not every 4 MB.
    connection.execute("PRAGMA wal_autocheckpoint = 4000")
    # The WAL file shrinks to this size after a large transaction.
    connection.execute("PRAGMA journal_size_limit = 16777216")
    # Debian's SQLite enables it: each deleted body would first be overwritten through the WAL. The
    # mail log in the same file names the same people, so the disk has to be protected anyway.
    connection.execute("PRAGMA secure_delete = OFF")
    # 16 MB, so that the indexes of a long queue stay in memory.
    connection.execute("PRAGMA cache_size = -16384")
    connection.execute("PRAGMA foreign_keys = ON")


def version_of(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(
    connection: sqlite3.Connection, path: Path, steps: Sequence[Migration], disk: Disk
) -> tuple[int, int]:
    """Migrate the database to the current version. Returns the versions before and after.

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
    """Write a complete database to `path`, under another name first, or raise."""
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
