"""The mark on the disk before a message is read to be sent.

    queued ──BeginReading──▶ a row in readings ──Begin──▶ in flight
                  └── a third process ended with it: held

A message may be one that no process survives reading. Its row tells the next process, which tries
again, and after `MOST_STARTS` of them leaves it to a person: one message must not stop the others.
Nothing of it was sent, so it is neither in flight nor in doubt.
"""

from dataclasses import dataclass
from datetime import datetime

from graphrelay.spool.errors import NotQueued
from graphrelay.spool.sqlite.database.writer import Transaction
from graphrelay.spool.sqlite.statements.attempts import Lost, hold_lost
from graphrelay.spool.sqlite.statements.put import part_id

MOST_STARTS = 3
"""Processes that may end while they read the same message."""
ENDED = (
    f"The relay ended {MOST_STARTS} times while it read this message to send it. Report it with the"
    " journal of those times, then release or delete it."
)


@dataclass(frozen=True, slots=True)
class BeginReading:
    """Counts a process once, however often it reads the message."""

    submission: int
    process: str
    now: datetime

    def __call__(self, transaction: Transaction) -> Lost | None:
        connection = transaction.connection
        row = connection.execute(
            """SELECT m.queue_id, s.part, r.starts, r.process
               FROM submissions s JOIN messages m ON m.id = s.message
               LEFT JOIN readings r ON r.submission = s.id
               WHERE s.id = ?1 AND s.state = 'queued'
                 AND NOT EXISTS (SELECT 1 FROM in_flight WHERE submission = ?1)""",
            (self.submission,),
        ).fetchone()
        if row is None:
            raise NotQueued(f"The submission {self.submission} does not wait for an attempt.")
        queue_id, part, starts, process = row
        if process == self.process:
            return None
        if starts == MOST_STARTS:
            connection.execute("DELETE FROM readings WHERE submission = ?", (self.submission,))
            hold_lost(transaction, self.submission, ENDED, self.now)
            return Lost(part_id(queue_id, part), ENDED)
        connection.execute(
            """INSERT INTO readings VALUES (?, 1, ?)
               ON CONFLICT DO UPDATE SET starts = starts + 1, process = excluded.process""",
            (self.submission, self.process),
        )
        return None
