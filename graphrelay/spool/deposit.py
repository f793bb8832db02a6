"""A message becomes ours: the rows that one transaction writes.

One row in `messages` and `bodies`, one in `submissions` for each part, one in `recipients` for
each address of a part. Large bodies are already on the disk when this runs (bodies.py).
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from graphrelay.model import (
    Body,
    Envelope,
    FiledBody,
    InlineBody,
    NewMessage,
    Origin,
    Plan,
    Submission,
)
from graphrelay.spool.bodies import BodyFolder, Filed, Kept, Stored
from graphrelay.spool.codec import Codec, microseconds, storable
from graphrelay.spool.queue_ids import QueueIds
from graphrelay.spool.writer import Transaction

PLAN: Codec[Plan] = Codec(Plan)
ORIGIN: Codec[Origin] = Codec(Origin)
ENVELOPE: Codec[Envelope] = Codec(Envelope)

_MESSAGE = """INSERT INTO messages
    (queue_id, received_at, sender, sender_key, client, origin, message_id, subject, size)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_BODY = "INSERT INTO bodies (message, prefix, octets, file, size) VALUES (?, ?, ?, ?, ?)"
_SUBMISSION = """INSERT INTO submissions
    (message, part, received_at, envelope, plan, account, mailbox, state, not_before)
    VALUES (?, ?, ?, ?, ?, ?, ?, 'queued', ?)"""
_RECIPIENT = "INSERT OR IGNORE INTO recipients (address_key, submission) VALUES (?, ?)"


def part_id(queue_id: str, part: int) -> str:
    """As people see it: the first part is called like the message."""
    return queue_id if part == 1 else f"{queue_id}/{part}"


@dataclass(frozen=True, slots=True)
class Deposit:
    """The work of putting one message."""

    message: NewMessage
    stored: Stored
    folder: BodyFolder
    ids: QueueIds
    now: datetime

    def __call__(self, transaction: Transaction) -> tuple[Submission, ...]:
        connection = transaction.connection
        queue_id, row = self._insert_message(connection)
        octets, file = self._where()
        connection.execute(_BODY, (row, self.message.prefix, octets, file, self.stored.size))
        return tuple(
            self._insert_part(
                connection,
                row,
                queue_id,
                part,
                plan,
                Envelope(self.message.envelope.reverse_path, recipients),
            )
            for part, (plan, recipients) in enumerate(self.message.parts, start=1)
        )

    def _insert_message(self, connection: sqlite3.Connection) -> tuple[str, int]:
        new = self.message
        sender = new.envelope.reverse_path
        while True:
            queue_id = self.ids.next(self.now)
            values = (
                queue_id,
                microseconds(new.received_at),
                storable(str(sender)) if sender else "",
                storable(sender.key) if sender else "",
                storable(new.origin.client),
                ORIGIN.text(new.origin),
                storable(new.message_id),
                storable(new.subject),
                len(new.prefix) + self.stored.size,
            )
            try:
                return queue_id, _inserted(connection, _MESSAGE, values)
            except sqlite3.IntegrityError:  # used before, when the clock was ahead: take the next
                if not _taken(connection, queue_id):
                    raise

    def _insert_part(
        self,
        connection: sqlite3.Connection,
        message: int,
        queue_id: str,
        part: int,
        plan: Plan,
        envelope: Envelope,
    ) -> Submission:
        new = self.message
        received_at = microseconds(new.received_at)
        row = _inserted(
            connection,
            _SUBMISSION,
            (
                message,
                part,
                received_at,
                ENVELOPE.text(envelope),
                PLAN.text(plan),
                storable(plan.lane.account),
                storable(plan.lane.mailbox),
                received_at,
            ),
        )
        index_recipients(connection, row, envelope)
        return Submission(
            id=row,
            queue_id=part_id(queue_id, part),
            envelope=envelope,
            origin=new.origin,
            plan=plan,
            received_at=new.received_at,
            message_id=new.message_id,
            prefix=new.prefix,
            body=self._body(),
            attempts=0,
        )

    def _where(self) -> tuple[bytes | None, str | None]:
        match self.stored:
            case Kept(octets):
                return octets, None
            case Filed(name):
                return None, name

    def _body(self) -> Body:
        match self.stored:
            case Kept(octets):
                return InlineBody(octets)
            case Filed(name, size):
                return FiledBody(self.folder.file(name), size)


def index_recipients(connection: sqlite3.Connection, submission: int, envelope: Envelope) -> None:
    keys = [(storable(path.key), submission) for path in envelope.forward_paths]
    if len(keys) == 1:
        connection.execute(_RECIPIENT, keys[0])
    else:
        connection.executemany(_RECIPIENT, keys)


def erase(transaction: Transaction, submissions: Sequence[Submission]) -> None:
    """Forget a message that was never acknowledged, whole."""
    connection = transaction.connection
    ids = [(submission.id,) for submission in submissions]
    (message,) = connection.execute(
        "SELECT message FROM submissions WHERE id = ?", ids[0]
    ).fetchone()
    connection.executemany("DELETE FROM recipients WHERE submission = ?", ids)
    connection.executemany("DELETE FROM submissions WHERE id = ?", ids)
    connection.execute("DELETE FROM bodies WHERE message = ?", (message,))
    connection.execute("DELETE FROM messages WHERE id = ?", (message,))
    transaction.files_to_unlink += (
        [submissions[0].body.path.name] if isinstance(submissions[0].body, FiledBody) else []
    )


def _inserted(connection: sqlite3.Connection, sql: str, values: tuple[Any, ...]) -> int:
    return connection.execute(sql, values).lastrowid or 0  # never 0 after an INSERT


def _taken(connection: sqlite3.Connection, queue_id: str) -> bool:
    found = connection.execute("SELECT 1 FROM messages WHERE queue_id = ?", (queue_id,))
    return found.fetchone() is not None
