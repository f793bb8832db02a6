"""Divides a submission into several, each with some of its recipients, together with the outcome of
an attempt.

All in one transaction: whatever happens, each recipient is in exactly one of them. The first piece
keeps the submission and its history; the others are new parts of the same message.
"""

import sqlite3
from dataclasses import dataclass

from graphrelay.model import Address
from graphrelay.spool.codec import ENVELOPE
from graphrelay.spool.queue_ids import part_id
from graphrelay.spool.sqlite.database.writer import DatabaseTransaction
from graphrelay.spool.sqlite.statements.attempts import Finish, leave_draft, note
from graphrelay.spool.sqlite.statements.put import Depositor, recipient_keys


@dataclass(frozen=True, slots=True)
class Divide:
    """Repeating it changes nothing."""

    finish: Finish
    pieces: tuple[tuple[Address, ...], ...]
    """Together the recipients of the submission."""
    depositor: Depositor

    def __call__(self, transaction: DatabaseTransaction) -> None:
        if not self.finish(transaction):
            return
        kept, *others = self.pieces
        self._keep(transaction.connection, kept)
        for piece in others:
            self._split_off(transaction.connection, piece)

    def _keep(self, connection: sqlite3.Connection, piece: tuple[Address, ...]) -> None:
        submission = self.finish.submission
        (text,) = connection.execute(
            "SELECT envelope FROM submissions WHERE id = ?", (submission,)
        ).fetchone()
        before = ENVELOPE.value(text)
        after = before.to(piece)
        gone = recipient_keys(before) - recipient_keys(after)
        connection.execute(
            "UPDATE submissions SET envelope = ? WHERE id = ?", (ENVELOPE.text(after), submission)
        )
        connection.executemany(
            "DELETE FROM recipients WHERE address_key = ? AND submission = ?",
            [(key, submission) for key in gone],
        )
        leave_draft(connection, submission)  # it names all of them, and must never be sent

    def _split_off(self, connection: sqlite3.Connection, piece: tuple[Address, ...]) -> None:
        origin, number = self.finish.submission, self.depositor.next_submission()
        queue_id, part, text = connection.execute(
            """SELECT m.queue_id, s.part, s.envelope FROM submissions s
               JOIN messages m ON m.id = s.message WHERE s.id = ?""",
            (origin,),
        ).fetchone()
        envelope = ENVELOPE.value(text).to(piece)
        connection.execute(
            """INSERT INTO submissions (id, message, part, received_at, sender_key, login, client,
                                        size, envelope,
                                        plan, account, mailbox, state, not_before)
               SELECT ?, message,
                      (SELECT max(part) + 1 FROM submissions WHERE message = s.message),
                      received_at, sender_key, login, client, size, ?, plan, account, mailbox,
                      state, not_before
               FROM submissions s WHERE id = ?""",
            (number, ENVELOPE.text(envelope), origin),
        )
        connection.executemany(
            "INSERT INTO recipients VALUES (?, ?)",
            [(key, number) for key in recipient_keys(envelope)],
        )
        why = f"split off from {part_id(queue_id, part)}"
        note(connection, number, "divided", why, self.finish.attempt.finished_at)
