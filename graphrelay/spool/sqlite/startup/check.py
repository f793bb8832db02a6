"""Checks the database at startup, before anything is written to it.

A small database is checked completely at every start. A large one (months of mail log) is checked
while the relay runs, so that mail is accepted within two seconds of a start; if damage is found
then or later, a mark is left, and the next start checks everything, however long that takes.
"""

import asyncio
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from graphrelay.model import one_line
from graphrelay.spool.sqlite.errors import is_damage
from graphrelay.spool.sqlite.files.disk import Disk

AT_ONCE = 64 * 1024 * 1024
"""The size in octets up to which a database is checked before anything else."""
MARK = "check-at-start"


@dataclass(frozen=True, slots=True)
class Sound:
    """No damage was found."""

    version: int


@dataclass(frozen=True, slots=True)
class Damaged:
    """It is damaged; with SQLite's description."""

    what: str
    version: int | None
    """`None` if not even that can be read."""


@dataclass(frozen=True, slots=True)
class Later:
    """It is too large to be checked now."""

    version: int


def check_at_start(database: Path, disk: Disk, at_once: int = AT_ONCE) -> Sound | Damaged | Later:
    """Changes nothing: it uses a read-only connection.

    Except in one case: a process that died while it created the database has left a rollback
    journal, and nothing can be read before that has been rolled back.
    """
    version = None
    if database.with_name(database.name + "-journal").exists():
        with closing(disk.connect(database)) as connection, suppress(sqlite3.DatabaseError):
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    try:
        with closing(disk.connect_to_read(database)) as connection:
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
            wal = database.with_name(database.name + "-wal")
            size = sum(file.stat().st_size for file in (database, wal) if file.exists())
            if size > at_once and not (database.parent / MARK).exists():
                return Later(version)
            what = problem(connection)
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            return Damaged(str(error), version)
        raise
    return Damaged(what, version) if what else Sound(version)


async def behind(database: Path, disk: Disk) -> str:
    """As `problem`, in a thread, table by table: a cancelled caller waits for one table at most."""
    connection = disk.connect_to_read(database)
    try:
        for table in ("messages", "bodies", "submissions", "recipients", "in_flight", "log"):
            checking = asyncio.get_running_loop().run_in_executor(
                None, problem, connection, f"quick_check({table})"
            )
            try:
                what = await asyncio.shield(checking)
            except asyncio.CancelledError:
                connection.interrupt()
                await asyncio.wait([checking])
                checking.exception()  # asyncio would report it as one that nobody has seen
                raise
            if what:
                return what
    except sqlite3.OperationalError:
        return ""  # not damage: the disk cannot be read at present, which other calls report
    finally:
        connection.close()
    return ""


def problem(connection: sqlite3.Connection, pragma: str = "quick_check(1)") -> str:
    """SQLite's description of the damage; empty for a sound database."""
    try:
        (answer,) = connection.execute(f"PRAGMA {pragma}").fetchone()
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            return str(error)
        raise
    return "" if answer == "ok" else one_line(answer)
