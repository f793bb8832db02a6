"""Housekeeping: deletes old history and returns free space.

It works in small portions, each a separate transaction among the others, so that deleting a year of
history delays nothing.
"""

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from graphrelay.spool.codec import ENVELOPE, microseconds
from graphrelay.spool.sqlite.database.writer import DatabaseTransaction
from graphrelay.spool.sqlite.statements.attempts import forget_octets
from graphrelay.spool.sqlite.statements.put import recipient_keys

PORTION = 200
PAGES = 256


@dataclass(frozen=True, slots=True)
class Prune:
    """Deletes up to `PORTION` messages that were done before `before`. Returns how many."""

    before: datetime

    def __call__(self, transaction: DatabaseTransaction) -> int:
        connection = transaction.connection
        messages = connection.execute(
            "SELECT id FROM messages WHERE done_at < ? ORDER BY done_at LIMIT ?",
            (microseconds(self.before), PORTION),
        ).fetchall()
        for (message,) in messages:
            parts = connection.execute(
                "SELECT id, envelope FROM submissions WHERE message = ?", (message,)
            ).fetchall()
            for submission, envelope in parts:
                keys = recipient_keys(ENVELOPE.value(envelope))
                connection.executemany(
                    "DELETE FROM recipients WHERE address_key = ? AND submission = ?",
                    [(key, submission) for key in keys],
                )
                connection.execute("DELETE FROM log WHERE submission = ?", (submission,))
                connection.execute("DELETE FROM drafts WHERE submission = ?", (submission,))
                connection.execute("DELETE FROM left_drafts WHERE submission = ?", (submission,))
            connection.execute("DELETE FROM submissions WHERE message = ?", (message,))
            forget_octets(transaction, message)
            connection.execute("DELETE FROM messages WHERE id = ?", (message,))
        return len(messages)


def with_octets(connection: sqlite3.Connection, since: datetime, before: datetime) -> list[int]:
    """Up to `PORTION` messages that were done from `since` on and before `before`, and whose octets
    are kept."""
    found = connection.execute(
        """SELECT m.id FROM messages m JOIN bodies b ON b.message = m.id
           WHERE m.done_at >= ? AND m.done_at < ? LIMIT ?""",
        (microseconds(since), microseconds(before), PORTION),
    )
    return [message for (message,) in found]


def free_pages(transaction: DatabaseTransaction) -> int:
    """The number of pages in the database that deleted mail has left free."""
    return int(transaction.connection.execute("PRAGMA freelist_count").fetchone()[0])


def give_pages_back(transaction: DatabaseTransaction) -> None:
    """Return a portion of them to the file system."""
    transaction.connection.execute(f"PRAGMA incremental_vacuum({PAGES})").fetchall()


def empty_wal(transaction: DatabaseTransaction) -> None:
    """Checkpoint everything and truncate the WAL, if there is no reader.

    Does not wait: if a reader still needs the WAL, it is kept until the next time.
    """
    connection = transaction.connection
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.execute("PRAGMA busy_timeout = 5000")
