"""Noting that a message which Microsoft took came back: finding it, and a line in the mail log."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from graphrelay.model import Address, Lane
from graphrelay.spool.sqlite.database.codec import microseconds, restored, storable
from graphrelay.spool.sqlite.database.writer import Transaction
from graphrelay.spool.sqlite.statements.attempts import note
from graphrelay.spool.sqlite.statements.put import part_id

_PART = "SELECT s.id, m.queue_id, s.part FROM"
_BY_RECIPIENT = f"""{_PART} recipients r JOIN submissions s ON s.id = r.submission
    JOIN messages m ON m.id = s.message
    WHERE r.address_key = ?1 AND m.message_id = ?2 AND s.state = 'relayed'
    ORDER BY s.id DESC LIMIT 1"""
_BY_MESSAGE = f"""{_PART} messages m JOIN submissions s ON s.message = m.id
    WHERE m.message_id = ?2 AND ?1 IS NOT NULL AND s.state = 'relayed'
    ORDER BY s.id DESC LIMIT 1"""


def find(
    connection: sqlite3.Connection, message_ids: Sequence[str], recipient: str
) -> tuple[int, str] | None:
    """The submission and its queue id: the one that had this recipient; where an alias or a list
    was rewritten on the way, the latest with that Message-ID."""
    key = storable(Address.parse(recipient).key)
    for query in (_BY_RECIPIENT, _BY_MESSAGE):
        for message_id in message_ids:
            row = connection.execute(query, (key, storable(message_id))).fetchone()
            if row is not None:
                return row[0], part_id(row[1], row[2])
    return None


@dataclass(frozen=True, slots=True)
class NoteBounce:
    """Whether it is news."""

    submission: int
    reason: str
    at: datetime

    def __call__(self, transaction: Transaction) -> bool:
        connection = transaction.connection
        known = connection.execute(
            "SELECT 1 FROM log WHERE submission = ? AND what = 'bounced' AND reason = ?",
            (self.submission, storable(self.reason)),
        ).fetchone()
        if known is None:
            note(connection, self.submission, "bounced", self.reason, self.at)
        return known is None


def lanes_used(connection: sqlite3.Connection, since: datetime) -> list[Lane]:
    """Those by which something was relayed since then."""
    rows = connection.execute(
        """SELECT DISTINCT s.account, s.mailbox
           FROM log l JOIN submissions s ON s.id = l.submission
           WHERE l.at >= ? AND l.what = 'relayed'""",
        (microseconds(since),),
    )
    return [Lane(restored(account), restored(mailbox)) for account, mailbox in rows]
