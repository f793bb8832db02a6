"""What waits goes by another plan: another account and mailbox, whose lane it joins."""

from dataclasses import dataclass
from datetime import datetime

from graphrelay.model import Plan, Waiting
from graphrelay.spool.sqlite.database.codec import moment, restored, storable
from graphrelay.spool.sqlite.database.writer import Transaction
from graphrelay.spool.sqlite.statements.attempts import came_from, note
from graphrelay.spool.sqlite.statements.put import PLAN


@dataclass(frozen=True, slots=True)
class Move:
    """As it waits then; `None` where it does not wait, or is on its way just now."""

    submission: int
    plan: Plan
    reason: str
    now: datetime

    def __call__(self, transaction: Transaction) -> Waiting | None:
        connection, lane = transaction.connection, self.plan.lane
        changed = connection.execute(
            """UPDATE submissions SET plan = ?1, account = ?2, mailbox = ?3
               WHERE id = ?4 AND state = 'queued'
                 AND NOT EXISTS (SELECT 1 FROM in_flight WHERE submission = ?4)""",
            (
                PLAN.text(self.plan),
                storable(lane.account),
                storable(lane.mailbox),
                self.submission,
            ),
        )
        if not changed.rowcount:
            return None
        note(connection, self.submission, "moved", self.reason, self.now)
        received_at, not_before, sender, size, origin = connection.execute(
            """SELECT received_at, not_before, sender_key, size,
                      (SELECT origin FROM messages WHERE id = s.message)
               FROM submissions s WHERE id = ?""",
            (self.submission,),
        ).fetchone()
        times = moment(received_at), moment(not_before)
        login, client = came_from(origin)
        return Waiting(self.submission, lane, *times, restored(sender), size, login, client)
