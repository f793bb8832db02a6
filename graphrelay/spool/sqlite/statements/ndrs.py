"""NDRs for messages that Microsoft accepted: finding the message, and recording the NDR in the mail
log."""

import sqlite3
from dataclasses import dataclass

from graphrelay.model import Address, Lane
from graphrelay.spool.changes import Changed, NotChanged, NoteNdr, Verdict
from graphrelay.spool.codec import microseconds
from graphrelay.spool.queries import LanesUsed, RelayedTo
from graphrelay.spool.queue_ids import part_id
from graphrelay.spool.sqlite.database.text import restored, storable
from graphrelay.spool.sqlite.database.writer import DatabaseTransaction
from graphrelay.spool.sqlite.statements.attempts import note
from graphrelay.spool.values import RelayedPart

_PART = "SELECT s.id, m.queue_id, s.part FROM"
_BY_RECIPIENT = f"""{_PART} recipients r JOIN submissions s ON s.id = r.submission
    JOIN messages m ON m.id = s.message
    WHERE r.address_key = ? AND m.message_id = ? AND s.state = 'relayed'
    ORDER BY s.id DESC LIMIT 1"""
_BY_MESSAGE = f"""{_PART} messages m JOIN submissions s ON s.message = m.id
    WHERE ? IS NOT NULL AND m.message_id = ? AND s.state = 'relayed'
    ORDER BY s.id DESC LIMIT 1"""


def relayed_to(connection: sqlite3.Connection, query: RelayedTo) -> RelayedPart | None:
    key = storable(Address.parse(query.recipient).key)
    for statement in (_BY_RECIPIENT, _BY_MESSAGE):
        for message_id in query.message_ids:
            row = connection.execute(statement, (key, storable(message_id))).fetchone()
            if row is not None:
                return RelayedPart(row[0], part_id(row[1], row[2]))
    return None


@dataclass(frozen=True, slots=True)
class Note:
    """Refused if it was recorded before."""

    ndr: NoteNdr

    def __call__(self, transaction: DatabaseTransaction) -> Verdict:
        connection, ndr = transaction.connection, self.ndr
        known = connection.execute(
            "SELECT 1 FROM log WHERE submission = ? AND what = 'bounced' AND reason = ?",
            (ndr.submission_id, storable(ndr.reason)),
        ).fetchone()
        if known is not None:
            return NotChanged("known", f"The NDR for submission {ndr.submission_id} is known.")
        note(connection, ndr.submission_id, "bounced", ndr.reason, ndr.at)
        return Changed(())


def lanes_used(connection: sqlite3.Connection, query: LanesUsed) -> list[Lane]:
    rows = connection.execute(
        """SELECT DISTINCT s.account, s.mailbox
           FROM log l JOIN submissions s ON s.id = l.submission
           WHERE l.at >= ? AND l.what = 'relayed'""",
        (microseconds(query.since),),
    )
    return [Lane(restored(account), restored(mailbox)) for account, mailbox in rows]
