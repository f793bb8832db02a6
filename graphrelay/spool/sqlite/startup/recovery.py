"""Recovers a damaged database: what can be read is copied into a new one, and the damaged files are
kept.

    spool.db (damaged) ──rows──▶ spool.db.partial ──rename──▶ spool.db.recovered ──▶ spool.db
         └──link──▶ damaged-<time>/

The recovery is decided once `spool.db.recovered` has its name: after a crash, the next start
completes it; after an earlier crash, it begins again. Nothing is ever deleted: the damaged
database, its WAL and body files that no row names any more are kept for the administrator.

Rows are read in the order of their ids, skipping what cannot be read. Then consistency is restored:
mail whose octets are lost is held; mail whose envelope is lost cannot be sent and is named in the
journal.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from graphrelay.model import Held, Origin
from graphrelay.spool.codec import ENVELOPE, ORIGIN
from graphrelay.spool.queue_ids import QueueIds
from graphrelay.spool.sqlite.database.schema import Migration, configure, migrate
from graphrelay.spool.sqlite.errors import is_damage
from graphrelay.spool.sqlite.files.disk import Disk
from graphrelay.spool.sqlite.statements.attempts import count_in_flight, note, set_state
from graphrelay.spool.sqlite.statements.put import recipient_keys

_TABLES = (
    *("messages", "bodies", "submissions", "in_flight", "log", "drafts", "left_drafts"),
    "refusals",
)
"""The tables that are copied; `recipients` is rebuilt from the envelopes."""

_LOST_OCTETS = "Its octets were lost when the spool was damaged."


@dataclass(frozen=True, slots=True)
class Recovered:
    """The result of a recovery."""

    aside: Path
    submissions: int
    """Complete messages still to be sent."""
    held: tuple[str, ...]
    """Queue ids of messages whose octets are lost."""
    lost: tuple[str, ...]
    """Queue ids of messages whose envelope is lost."""


def finish_if_decided(database: Path, disk: Disk) -> bool:
    """Move a recovered database to its place; False if there is none."""
    recovered = database.with_name(database.name + ".recovered")
    if not recovered.exists():
        return False
    for tail in ("-wal", "-shm"):  # the damaged one's, which must never be used with the new one
        disk.unlink(database.with_name(database.name + tail))
    disk.sync_directory(database.parent)
    disk.rename(recovered, database)
    disk.sync_directory(database.parent)
    return True


@dataclass(frozen=True, slots=True)
class Recovery:
    """The steps of a recovery, in their order."""

    database: Path
    bodies: Path
    steps: Sequence[Migration]
    disk: Disk
    now: datetime

    def run(self, version: int | None) -> Recovered:
        """`version` is that of the damaged database, `None` if it cannot be read."""
        partial = self.database.with_name(self.database.name + ".partial")
        for tail in ("", "-wal", "-shm", "-journal"):
            self.disk.unlink(partial.with_name(partial.name + tail))
        descriptor = self.disk.create(partial)
        try:
            with closing(self.disk.connect(partial)) as new:
                files, submissions, held, lost = self._fill(new, partial, version)
            self.disk.sync(descriptor)
        finally:
            self.disk.close(descriptor)
        aside = self._put_aside(files)
        self.disk.rename(partial, self.database.with_name(self.database.name + ".recovered"))
        self.disk.sync_directory(self.database.parent)
        finish_if_decided(self.database, self.disk)
        return Recovered(aside, submissions, held, lost)

    def _fill(
        self, new: sqlite3.Connection, path: Path, version: int | None
    ) -> tuple[set[str], int, tuple[str, ...], tuple[str, ...]]:
        configure(new)
        known = [step for step in self.steps if version is None or step.version <= version]
        migrate(new, path, known or self.steps, self.disk)
        new.execute("PRAGMA foreign_keys = OFF")
        self.disk.begin(new)
        _copy(self.database, new, self.disk)
        waiting, held, lost = _mend(new, self.now)
        self.disk.commit(new)
        files = {file for (file,) in new.execute("SELECT file FROM bodies WHERE file IS NOT NULL")}
        new.execute("PRAGMA journal_mode = DELETE")  # all of it in the one file
        return files, waiting, held, lost

    def _put_aside(self, files: set[str]) -> Path:
        """Link the damaged files into a separate directory, and move body files whose rows are lost
        there."""
        aside = self.database.parent / f"damaged-{self.now:%Y%m%dT%H%M%S%fZ}"
        self.disk.make_directory(aside)
        for tail in ("", "-wal"):
            file = self.database.with_name(self.database.name + tail)
            if file.exists() and not (aside / file.name).exists():
                self.disk.link(file, aside / file.name)
        for body in sorted(self.bodies.iterdir()):
            if body.name not in files:
                self.disk.rename(body, aside / body.name)
        self.disk.sync_directory(aside)
        self.disk.sync_directory(self.bodies)
        self.disk.sync_directory(self.database.parent)
        return aside


# --- Reading what can be read --------------------------------------------------------------------


def _copy(database: Path, new: sqlite3.Connection, disk: Disk) -> None:
    try:
        with closing(disk.connect_to_read(database)) as old:
            for table in _TABLES:
                _copy_table(old, new, table)
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise  # for example, the disk is full: then the damaged database stays in place


def _copy_table(old: sqlite3.Connection, new: sqlite3.Connection, table: str) -> None:
    if _lacks(new, table) or _lacks(old, table):
        return  # the damaged database is older than the table
    known = _columns(old, table)
    columns = [column for column in _columns(new, table) if column in known]
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    insert = f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})"  # noqa: S608
    new.executemany(insert, readable_rows(old, table, names))


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    described = connection.execute(f"SELECT * FROM {table} LIMIT 0").description  # noqa: S608
    return [column[0] for column in described]


def _lacks(connection: sqlite3.Connection, table: str) -> bool:
    try:
        connection.execute(f"SELECT 1 FROM {table} LIMIT 0")  # noqa: S608 (our own words)
    except sqlite3.OperationalError as error:
        return error.sqlite_errorcode == sqlite3.SQLITE_ERROR
    return False


def readable_rows(
    connection: sqlite3.Connection, table: str, columns: str
) -> Iterator[tuple[Any, ...]]:
    """Every row that can be read, by rowid, skipping any number of damaged places.

    After a damaged place, the next readable row is searched in growing steps and then by bisection,
    so that only the rows in damaged pages are lost.
    """
    query = (
        f"SELECT rowid, {columns} FROM {table} NOT INDEXED"  # noqa: S608 (our own words)
        " WHERE rowid >= ? ORDER BY rowid LIMIT ?"
    )

    def first(start: int) -> tuple[Any, ...] | _Unreadable | None:
        try:
            row: tuple[Any, ...] | None = connection.execute(query, (start, 1)).fetchone()
        except sqlite3.DatabaseError as error:
            if is_damage(error):
                return _Unreadable()
            raise
        return row

    start: int | None = 0
    while start is not None:
        try:
            for row in connection.execute(query, (start, -1)):
                start = row[0] + 1
                yield row[1:]
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
        else:
            return
        # Python reads one row ahead, and loses the good row before the bad one.
        while isinstance(found := first(start), tuple):
            start = found[0] + 1
            yield found[1:]
        start = _next_readable(lambda at: not isinstance(first(at), _Unreadable), start)


class _Unreadable:
    """SQLite found damage at this place."""


def _next_readable(can_read: Callable[[int], bool], start: int) -> int | None:
    step = 1
    while not can_read(start + step):
        step *= 2
        if step > 1 << 40:  # greater than any id ever assigned
            return None
    bad, good = start + step // 2, start + step
    while good - bad > 1:
        middle = (bad + good) // 2
        if can_read(middle):
            good = middle
        else:
            bad = middle
    return good


# --- Restoring consistency -----------------------------------------------------------------------


def _mend(new: sqlite3.Connection, now: datetime) -> tuple[int, tuple[str, ...], tuple[str, ...]]:
    _index_recipients(new)
    _name_nameless(new, now)
    lost = _forget_without_envelope(new)
    for table in ("in_flight", "log", "drafts", "left_drafts"):
        if not _lacks(new, table):
            new.execute(
                f"DELETE FROM {table} WHERE submission NOT IN (SELECT id FROM submissions)"  # noqa: S608
            )
    count_in_flight(new)
    held = _hold_without_octets(new, now)
    (whole,) = new.execute("SELECT count(*) FROM submissions WHERE state = 'queued'").fetchone()
    return whole, held, lost


def _index_recipients(new: sqlite3.Connection) -> None:
    for submission, envelope in new.execute("SELECT id, envelope FROM submissions").fetchall():
        try:
            keys = recipient_keys(ENVELOPE.value(envelope))
        except ValueError:
            new.execute("DELETE FROM submissions WHERE id = ?", (submission,))
        else:
            new.executemany(
                "INSERT OR IGNORE INTO recipients (address_key, submission) VALUES (?, ?)",
                [(key, submission) for key in keys],
            )


def _name_nameless(new: sqlite3.Connection, now: datetime) -> None:
    """A submission that is not done needs its envelope and octets; the rest can be replaced by
    defaults."""
    nameless = new.execute(
        """SELECT s.message, min(s.received_at), s.sender_key, s.size
           FROM submissions s JOIN bodies b ON b.message = s.message
           WHERE s.done_at IS NULL AND s.message NOT IN (SELECT id FROM messages)
           GROUP BY s.message"""
    ).fetchall()
    (last,) = new.execute("SELECT max(queue_id) FROM messages").fetchone()
    ids = QueueIds(last or "")
    origin = ORIGIN.text(Origin(listener="", client="unknown"))
    for message, received_at, sender, size in nameless:
        new.execute(
            """INSERT INTO messages (id, queue_id, received_at, sender, sender_key, client, origin,
                                     message_id, subject, size)
               VALUES (?, ?, ?, ?, ?, 'unknown', ?, '', '', ?)""",
            (message, ids.next(now), received_at, sender, sender, origin, size),
        )
    new.execute("DELETE FROM submissions WHERE message NOT IN (SELECT id FROM messages)")
    new.execute("DELETE FROM recipients WHERE submission NOT IN (SELECT id FROM submissions)")


def _forget_without_envelope(new: sqlite3.Connection) -> tuple[str, ...]:
    """The recipients of these are unknown. The messages remain in the damaged files that are
    kept.
    """
    orphans = new.execute(
        """SELECT id, queue_id FROM messages
           WHERE id NOT IN (SELECT message FROM submissions)"""
    ).fetchall()
    new.executemany("DELETE FROM messages WHERE id = ?", [(row,) for row, _ in orphans])
    new.execute(
        """DELETE FROM bodies WHERE message NOT IN
           (SELECT message FROM submissions WHERE done_at IS NULL)"""
    )
    new.execute(
        """UPDATE messages SET done_at = NULL WHERE done_at IS NOT NULL
           AND id IN (SELECT message FROM submissions WHERE done_at IS NULL)"""
    )
    return tuple(queue_id for _, queue_id in orphans)


def _hold_without_octets(new: sqlite3.Connection, now: datetime) -> tuple[str, ...]:
    rows = new.execute(
        """SELECT s.id, m.queue_id FROM submissions s JOIN messages m ON m.id = s.message
           WHERE s.done_at IS NULL AND s.message NOT IN (SELECT message FROM bodies)"""
    ).fetchall()
    for submission, _ in rows:
        new.execute("DELETE FROM in_flight WHERE submission = ?", (submission,))
        set_state(new, submission, Held(_LOST_OCTETS), now)
        note(new, submission, "held", _LOST_OCTETS, now)
    return tuple(dict.fromkeys(queue_id for _, queue_id in rows))
