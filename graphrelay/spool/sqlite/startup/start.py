"""The steps between taking the lock and the first message.

    make directories ─▶ check ─▶ (recover) ─▶ migrate ─▶ bodies against rows

Afterwards, every row that names a body file has all of it or is held, and every body file has a
row, whatever the previous process was doing when it died.
"""

import asyncio
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from graphrelay.clock import Clock
from graphrelay.file_access import FileUser
from graphrelay.journal import Journal, events
from graphrelay.journal.event import Event
from graphrelay.model import StorageUnavailable
from graphrelay.spool.errors import ENDS, SpoolTooNew
from graphrelay.spool.queue_ids import part_id
from graphrelay.spool.sqlite.database.schema import Migration, configure, migrate
from graphrelay.spool.sqlite.database.writer import DatabaseTransaction
from graphrelay.spool.sqlite.errors import translated
from graphrelay.spool.sqlite.files.bodies import BodyFolder
from graphrelay.spool.sqlite.files.disk import Disk
from graphrelay.spool.sqlite.files.lock import Lock
from graphrelay.spool.sqlite.startup.check import (
    AT_ONCE,
    MARK,
    Damaged,
    Later,
    Sound,
    check_at_start,
)
from graphrelay.spool.sqlite.startup.recovery import Recovery, finish_if_decided
from graphrelay.spool.sqlite.statements.attempts import hold_lost

DATABASE = "spool.db"


@dataclass(frozen=True, slots=True)
class Start:
    """The steps, run in this order in a thread."""

    directory: Path
    disk: Disk
    clock: Clock
    journal: Journal
    migrations: Sequence[Migration]
    loop: asyncio.AbstractEventLoop
    at_once: int = AT_ONCE
    """The size in octets up to which the database is checked before mail is accepted."""

    @property
    def database(self) -> Path:
        return self.directory / DATABASE

    def database_size(self) -> int:
        """The database and its WAL, in octets."""
        files = (self.database, self.database.with_name(DATABASE + "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def own(self, patience: timedelta) -> Lock:
        """Create the directories and take the lock. Raises `SpoolInUse`, `StorageUnavailable`."""
        try:
            self._make_directories()
            return Lock.take(self.directory, patience)
        except PermissionError as error:
            if text := _of_another(self.directory):
                raise StorageUnavailable(text) from error
            raise translated(error, "be opened", self.directory, ENDS) from error
        except OSError as error:
            raise translated(error, "be opened", self.directory, ENDS) from error

    def _make_directories(self) -> None:
        for directory in (self.directory, self.directory / "bodies"):
            self.disk.make_directory(directory)
            self.disk.sync_directory(directory.parent)

    def open_database(self) -> sqlite3.Connection:
        """Returns a sound database of the current version. Raises `SpoolTooNew`."""
        finish_if_decided(self.database, self.disk)
        if self.database.exists():
            self._check()
        else:
            self.disk.close(self.disk.create(self.database))  # for its owner only
            self.disk.sync_directory(self.directory)
        connection = self.disk.connect(self.database)
        try:
            configure(connection)
            before, now = migrate(connection, self.database, self.migrations, self.disk)
        except BaseException:
            connection.close()
            raise
        if before not in (0, now):
            self._tell(events.SpoolMigrated(from_version=before, to_version=now))
        return connection

    def _check(self) -> None:
        match check_at_start(self.database, self.disk, self.at_once):
            case Damaged(what, version):
                self._refuse_newer(version)
                self._recover(what, version)
            case Sound(version):
                self._refuse_newer(version)
                self.disk.unlink(self.directory / MARK)
            case Later(version):
                self._refuse_newer(version)

    def _refuse_newer(self, version: int | None) -> None:
        newest = self.migrations[-1].version
        if version is not None and version > newest:
            raise SpoolTooNew(self.database, version, newest)

    def _recover(self, what: str, version: int | None) -> None:
        self._tell(events.SpoolDamaged(database=self.database, reason=what))
        recovery = Recovery(
            self.database, self.directory / "bodies", self.migrations, self.disk, self.clock.now()
        )
        recovered = recovery.run(version)
        self.disk.unlink(self.directory / MARK)
        self._tell(
            events.SpoolRecovered(
                kept_aside=recovered.aside,
                waiting=recovered.submissions,
                held_without_octets=recovered.held,
                lost_without_envelope=recovered.lost,
            )
        )

    def mark_damaged(self, what: str) -> None:
        """To be called for damage found while the relay runs: the next start checks everything, and
        recovers."""
        try:
            self.disk.close(self.disk.create(self.directory / MARK))
        except FileExistsError:
            return
        except OSError as error:  # the next start may find it by itself
            what += f"; the mark for the next start could not be written: {error}"
        self._tell(
            events.SpoolDamaged(
                database=self.database,
                reason=what,
                remedy="restart the relay: it then recovers what can be read",
            )
        )

    def match_bodies(self, connection: sqlite3.Connection, folder: BodyFolder) -> None:
        """Delete files that no row names; hold mail whose file is missing or truncated."""
        found = dict(folder.names())
        rows = connection.execute(
            "SELECT file, size, message FROM bodies WHERE file IS NOT NULL"
        ).fetchall()
        for file, _, _ in rows:
            found.pop(file, None)
        for name in found:
            folder.unlink(name)
        if found:
            self._tell(events.SpoolSwept(files=len(found), octets=sum(found.values())))
        for file, size, message in rows:
            try:
                folder.whole(file, size)
            except FileNotFoundError as error:
                self._hold(connection, message, f"Its octets are lost: {error}")

    def _hold(self, connection: sqlite3.Connection, message: int, reason: str) -> None:
        parts = connection.execute(
            """SELECT s.id, m.queue_id, s.part FROM submissions s
               JOIN messages m ON m.id = s.message
               WHERE s.message = ? AND s.state = 'queued'""",
            (message,),
        ).fetchall()
        self.disk.begin(connection)
        for submission, _, _ in parts:
            hold_lost(DatabaseTransaction(connection), submission, reason, self.clock.now())
        self.disk.commit(connection)
        for _, queue_id, part in parts:
            self._tell(events.Held(part_id(queue_id, part), reason))

    def _tell(self, event: Event) -> None:
        """Write to the journal from a thread; its sinks run in the event loop."""
        self.loop.call_soon_threadsafe(self.journal.write, event)


def _of_another(directory: Path) -> str:
    """Advice if another user owns the directory; else empty."""
    user = FileUser.this_process()
    try:
        owner = directory.stat().st_uid
    except OSError:
        return ""
    if owner == user.uid:
        return ""
    name = FileUser.of(owner).name
    return (
        f"{directory} belongs to {name}, but the relay runs as {user.name}. Run it as {name}, or: "
        f"sudo chown -R {user.name} {directory}"
    )
