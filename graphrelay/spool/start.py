"""What happens between taking the lock and the first message.

    make directories ─▶ check ─▶ (recover) ─▶ migrate ─▶ bodies against rows

Afterwards every row that names a body file has it whole or is held, and every body file has a
row: whatever the process was doing when it died.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from graphrelay.clock import Clock
from graphrelay.journal import Journal
from graphrelay.spool.attempts import hold_lost
from graphrelay.spool.bodies import BodyFolder
from graphrelay.spool.deposit import part_id
from graphrelay.spool.disk import Disk
from graphrelay.spool.errors import translated
from graphrelay.spool.lock import Lock
from graphrelay.spool.schema import Migration, configure, migrate
from graphrelay.spool.writer import Transaction

DATABASE = "spool.db"


@dataclass(frozen=True, slots=True)
class Start:
    """The steps, run one after the other in a thread."""

    directory: Path
    disk: Disk
    clock: Clock
    journal: Journal
    migrations: Sequence[Migration]

    @property
    def database(self) -> Path:
        return self.directory / DATABASE

    def database_size(self) -> int:
        """The database and its WAL, in octets."""
        files = (self.database, self.database.with_name(DATABASE + "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def own(self) -> Lock:
        """Make the directories and take the lock. Raises `SpoolInUse`, `StorageUnavailable`."""
        try:
            self._make_directories()
            return Lock.take(self.directory)
        except OSError as error:
            raise translated(error, "be opened", self.directory) from error

    def _make_directories(self) -> None:
        for directory in (self.directory, self.directory / "bodies"):
            self.disk.make_directory(directory)
            self.disk.sync_directory(directory.parent)

    def open_database(self) -> sqlite3.Connection:
        if not self.database.exists():
            self.disk.close(self.disk.create(self.database))  # ours alone from its first moment
            self.disk.sync_directory(self.directory)
        connection = self.disk.connect(self.database)
        try:
            configure(connection)
            before, now = migrate(connection, self.database, self.migrations, self.disk)
        except BaseException:
            connection.close()
            raise
        if before not in (0, now):
            self.journal.notice("spool-migrated", from_version=before, to_version=now)
        return connection

    def match_bodies(self, connection: sqlite3.Connection, folder: BodyFolder) -> None:
        """Sweep files that no row names; hold mail whose file is missing or cut short."""
        found = dict(folder.names())
        rows = connection.execute(
            "SELECT file, size, message FROM bodies WHERE file IS NOT NULL"
        ).fetchall()
        for file, _, _ in rows:
            found.pop(file, None)
        for name in found:
            folder.unlink(name)
        if found:
            self.journal.notice("spool-swept", files=len(found), octets=sum(found.values()))
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
            hold_lost(Transaction(connection), submission, reason, self.clock.now())
        self.disk.commit(connection)
        for _, queue_id, part in parts:
            self.journal.held(part_id(queue_id, part), reason)
