"""Accepting a message: the rows that one transaction writes.

One row in `messages` and `bodies`, one in `submissions` for each part, one in `recipients` for each
address of a part. Large bodies are on the disk before this runs (bodies.py).
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from graphrelay.model import (
    Body,
    Envelope,
    InlineBody,
    NewMessage,
    Submission,
)
from graphrelay.spool.codec import ENVELOPE, ORIGIN, PLAN, microseconds
from graphrelay.spool.queue_ids import QueueIds, part_id
from graphrelay.spool.sqlite.database.bulk_insert import Insert, Row
from graphrelay.spool.sqlite.database.text import storable
from graphrelay.spool.sqlite.database.writer import DatabaseTransaction
from graphrelay.spool.sqlite.files.bodies import BodyFolder, FileBody, Filed, Kept, Stored

_MESSAGES = Insert(
    "messages",
    "id, queue_id, received_at, sender, sender_key, client, origin, message_id, subject, size",
)
_SMALL_BODIES = Insert("bodies", "message, size, prefix, octets")
_LARGE_BODIES = Insert("bodies", "message, size, prefix, file")
_SUBMISSIONS = Insert(
    "submissions",
    "id, message, part, received_at, sender_key, login, client, size, envelope, plan, account,"
    " mailbox, state, not_before",
)
_RECIPIENTS = Insert("recipients", "address_key, submission")


@dataclass(frozen=True, slots=True)
class Deposit:
    """A message to be put, whose body has been stored."""

    message: NewMessage
    stored: Stored
    now: datetime


@dataclass(slots=True)
class _Rows:
    messages: list[Row] = field(default_factory=list)
    small_bodies: list[Row] = field(default_factory=list)
    large_bodies: list[Row] = field(default_factory=list)
    submissions: list[Row] = field(default_factory=list)
    recipients: list[Row] = field(default_factory=list)


@dataclass(slots=True)
class _Common:
    """Values that the rows of one message share."""

    message: int
    queue_id: str
    received_at: int
    sender_key: str | bytes
    size: int


_RESERVED = 1_000


class _RowIds:
    """Row ids of new rows in a table, greater than all that were ever used there.

    `sqlite_sequence` has the last one (https://www.sqlite.org/autoinc.html). It is written for many
    ids in advance: otherwise it would be another page in each transaction. After a restart, those
    that were not used are left out.
    """

    def __init__(self, connection: sqlite3.Connection, table: str) -> None:
        self._table = table
        row = connection.execute(
            "SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)
        ).fetchone()
        self._last: int = row[0] if row else 0
        self._reserved = self._last

    def next(self) -> int:
        self._last += 1
        return self._last

    def reserve(self, connection: sqlite3.Connection) -> None:
        """To be called before rows with new ids are inserted. If the transaction fails, SQLite
        itself writes the last id until the next reservation."""
        if self._last <= self._reserved:
            return
        self._reserved = self._last + _RESERVED
        kept = connection.execute(
            "UPDATE sqlite_sequence SET seq = ? WHERE name = ?", (self._reserved, self._table)
        )
        if not kept.rowcount:
            connection.execute(
                "INSERT INTO sqlite_sequence VALUES (?, ?)", (self._table, self._reserved)
            )


class Depositor:
    """Puts all waiting messages at once. Owned by the writer's thread.

    It assigns the row ids itself, so that many messages need four statements: at each statement
    Python may switch threads, which costs more than SQLite does. Ids that a failed transaction used
    are not used again.
    """

    def __init__(self, connection: sqlite3.Connection, folder: BodyFolder) -> None:
        self._folder = folder
        (queue_id,) = connection.execute("SELECT max(queue_id) FROM messages").fetchone()
        self._ids = QueueIds(queue_id or "")
        self._messages = _RowIds(connection, "messages")
        self._submissions = _RowIds(connection, "submissions")

    def next_submission(self) -> int:
        """The id of a new row in `submissions`."""
        return self._submissions.next()

    def put(
        self, transaction: DatabaseTransaction, deposits: Sequence[Deposit]
    ) -> list[tuple[Submission, ...]]:
        rows = _Rows()
        answers = [self._add(rows, deposit) for deposit in deposits]
        self._messages.reserve(transaction.connection)
        self._submissions.reserve(transaction.connection)
        _MESSAGES.into(transaction.connection, rows.messages)
        _SMALL_BODIES.into(transaction.connection, rows.small_bodies)
        _LARGE_BODIES.into(transaction.connection, rows.large_bodies)
        _SUBMISSIONS.into(transaction.connection, rows.submissions)
        _RECIPIENTS.into(transaction.connection, rows.recipients)
        return answers

    def _add(self, rows: _Rows, deposit: Deposit) -> tuple[Submission, ...]:
        new, stored, sender = deposit.message, deposit.stored, deposit.message.envelope.reverse_path
        common = _Common(
            message=self._messages.next(),
            queue_id=self._ids.next(deposit.now),
            received_at=microseconds(new.received_at),
            sender_key=storable(sender.key) if sender else "",
            size=len(new.prefix) + stored.size,
        )
        rows.messages.append(
            (
                common.message,
                common.queue_id,
                common.received_at,
                storable(str(sender)) if sender else "",
                common.sender_key,
                storable(new.origin.client),
                ORIGIN.text(new.origin),
                storable(new.message_id),
                storable(new.subject),
                common.size,
            )
        )
        # For None and bytes sqlite3 would look for an adapter, which takes longer than a copy.
        about = common.message, stored.size, bytearray(new.prefix)
        match stored:
            case Kept(octets):
                body: Body = InlineBody(octets)
                rows.small_bodies.append((*about, bytearray(octets)))
            case Filed(name, size):
                body = FileBody(self._folder.file(name), size)
                rows.large_bodies.append((*about, name))
        return tuple(
            self._add_part(rows, new, body, common, part) for part in range(1, len(new.parts) + 1)
        )

    def _add_part(
        self, rows: _Rows, new: NewMessage, body: Body, common: _Common, part: int
    ) -> Submission:
        plan, recipients = new.parts[part - 1]
        envelope = new.envelope.to(recipients)
        submission = self._submissions.next()
        rows.submissions.append(
            (
                submission,
                common.message,
                part,
                common.received_at,
                storable(new.origin.author) or common.sender_key,
                storable(new.origin.login or ""),
                storable(new.origin.client),
                common.size,
                ENVELOPE.text(envelope),
                PLAN.text(plan),
                storable(plan.lane.account),
                storable(plan.lane.mailbox),
                "queued",
                microseconds(new.not_before) if new.not_before else common.received_at,
            )
        )
        rows.recipients += [(key, submission) for key in recipient_keys(envelope)]
        return Submission(
            id=submission,
            queue_id=part_id(common.queue_id, part),
            envelope=envelope,
            origin=new.origin,
            plan=plan,
            received_at=new.received_at,
            message_id=new.message_id,
            prefix=new.prefix,
            body=body,
            attempts=0,
        )


def recipient_keys(envelope: Envelope) -> set[str | bytes]:
    return {storable(path.key) for path in envelope.forward_paths}


def erase(transaction: DatabaseTransaction, submissions: Sequence[Submission] | None) -> None:
    """Delete all of a message that was never acknowledged; `None` is one that was never stored."""
    if not submissions:
        return
    connection = transaction.connection
    ids = [(submission.id,) for submission in submissions]
    (message,) = connection.execute(
        "SELECT message FROM submissions WHERE id = ?", ids[0]
    ).fetchone()
    connection.executemany(
        "DELETE FROM recipients WHERE address_key = ? AND submission = ?",
        [(key, part.id) for part in submissions for key in recipient_keys(part.envelope)],
    )
    connection.executemany("DELETE FROM submissions WHERE id = ?", ids)
    connection.execute("DELETE FROM bodies WHERE message = ?", (message,))
    connection.execute("DELETE FROM messages WHERE id = ?", (message,))
    body = submissions[0].body
    if isinstance(body, FileBody):
        transaction.files_to_unlink.append(body.path.name)
