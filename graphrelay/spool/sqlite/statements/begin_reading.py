"""Records on disk that a message is about to be read for sending.

    queued ──BeginReading──▶ a row in readings ──Begin──▶ in flight
              └── a third process has ended with it: held

Reading a message may crash the process. By its row the next process recognises it, reads it
separately from the others that are marked, and after `MOST_STARTS` processes holds it: one message
must not stop the others. Nothing was sent, so the message is neither in flight nor uncertain.
"""

from dataclasses import dataclass

from graphrelay.model import QueueEntry, Submission
from graphrelay.spool.errors import ENDED, MOST_STARTS, NotQueued
from graphrelay.spool.queue_ids import part_id
from graphrelay.spool.sqlite.database.writer import DatabaseTransaction
from graphrelay.spool.sqlite.statements.attempts import WAITS, Load, OctetsLost, hold_lost, queued


@dataclass(frozen=True, slots=True)
class BeginReading:
    """Marks the message, then loads it. Counts each process once, however often it reads the
    message."""

    entry: QueueEntry
    load: Load
    process: str

    def __call__(self, transaction: DatabaseTransaction) -> Submission | OctetsLost:
        return self._mark(transaction) or self.load(transaction)

    def _mark(self, transaction: DatabaseTransaction) -> OctetsLost | None:
        connection, submission = transaction.connection, self.entry.submission_id
        marked = connection.execute(
            f"""INSERT INTO readings SELECT s.id, 1, ? FROM submissions s WHERE {WAITS}
                ON CONFLICT DO UPDATE SET starts = starts + 1, process = excluded.process
                WHERE process <> excluded.process AND starts < {MOST_STARTS}""",  # noqa: S608
            (self.process, *queued(submission, self.entry.lane)),
        )
        if marked.rowcount:
            return None
        row = connection.execute(
            f"""SELECT m.queue_id, s.part, r.process
                FROM submissions s JOIN messages m ON m.id = s.message
                JOIN readings r ON r.submission = s.id
                WHERE {WAITS}""",  # noqa: S608 (our own words)
            queued(submission, self.entry.lane),
        ).fetchone()
        if row is None:
            raise NotQueued(f"The submission {submission} is not waiting in {self.entry.lane}.")
        queue_id, part, process = row
        if process == self.process:
            return None
        connection.execute("DELETE FROM readings WHERE submission = ?", (submission,))
        hold_lost(transaction, submission, ENDED, self.load.now)
        return OctetsLost(part_id(queue_id, part), ENDED)
