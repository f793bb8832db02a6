"""Gives a queued submission another plan: another account and mailbox, whose lane it joins."""

from dataclasses import dataclass
from datetime import datetime

from graphrelay.model import QueueEntry
from graphrelay.spool.changes import Changed, Move, NotChanged, Verdict
from graphrelay.spool.codec import PLAN, moment
from graphrelay.spool.sqlite.database.text import restored, storable
from graphrelay.spool.sqlite.database.writer import DatabaseTransaction
from graphrelay.spool.sqlite.statements.attempts import note


@dataclass(frozen=True, slots=True)
class ChangePlan:
    """Refused if it is not queued, or in flight."""

    move: Move
    now: datetime

    def __call__(self, transaction: DatabaseTransaction) -> Verdict:
        connection, lane = transaction.connection, self.move.plan.lane
        submission = self.move.submission_id
        changed = connection.execute(
            """UPDATE submissions SET plan = ?, account = ?, mailbox = ?
               WHERE id = ? AND state = 'queued'
                 AND NOT EXISTS (SELECT 1 FROM in_flight WHERE submission = ?)""",
            (
                PLAN.text(self.move.plan),
                storable(lane.account),
                storable(lane.mailbox),
                submission,
                submission,
            ),
        )
        if not changed.rowcount:
            return NotChanged("done", f"The submission {submission} is not waiting.")
        note(connection, submission, "moved", self.move.reason, self.now)
        received_at, not_before, sender, size, login, client = connection.execute(
            """SELECT received_at, not_before, sender_key, size, login, client
               FROM submissions WHERE id = ?""",
            (submission,),
        ).fetchone()
        moved = QueueEntry(
            submission,
            lane,
            moment(received_at),
            moment(not_before),
            restored(sender),
            size,
            restored(login),
            restored(client),
        )
        return Changed((moved,))
