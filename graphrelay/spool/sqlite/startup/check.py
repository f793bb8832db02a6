"""Is the database sound? Asked at start, before anything is written to it.

A small database is checked whole at every start. A large one (the mail log of months) is checked
behind the running relay, so that mail is taken within two seconds of a start; if damage shows
there or in the middle of work, a mark is left, and the next start checks all, however long that
takes.
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
MARK = "check-at-start"


@dataclass(frozen=True, slots=True)
class Sound:
    """Nothing was found wrong."""

    version: int


@dataclass(frozen=True, slots=True)
class Damaged:
    """Something is wrong with it; SQLite's words."""

    what: str
    version: int | None
    """`None` where not even that can be read."""


@dataclass(frozen=True, slots=True)
class Later:
    """Too large to be checked now."""

    version: int


def check_at_start(database: Path, disk: Disk) -> Sound | Damaged | Later:
    """Looks, and changes nothing: through a connection that cannot write.

    But for one case: a process that died while it made the database has left a rollback journal,
    and nothing can be read before it has been rolled back.
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
            if size > AT_ONCE and not (database.parent / MARK).exists():
                return Later(version)
            what = problem(connection)
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            return Damaged(str(error), version)
        raise
    return Damaged(what, version) if what else Sound(version)


async def behind(database: Path, disk: Disk) -> str:
    """As `problem`, in a thread, table by table: a cancelled caller waits for one at most."""
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
                raise
            if what:
                return what
    except sqlite3.OperationalError:
        return ""  # not damage: the disk could not be read just now, and other calls say so
    finally:
        connection.close()
    return ""


def problem(connection: sqlite3.Connection, pragma: str = "quick_check(1)") -> str:
    """What is wrong, in SQLite's words; empty for a sound database."""
    try:
        (answer,) = connection.execute(f"PRAGMA {pragma}").fetchone()
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            return str(error)
        raise
    return "" if answer == "ok" else one_line(answer)
