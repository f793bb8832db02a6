"""Backup accounts, which take over the mail of a paused lane if the configuration names one.

    [accounts.website]            lane paused: authorization, quota, blocked
    backup = "alerts"       ──▶   its mail goes by the account "alerts", until the lane looks again

Nothing else moves mail to another account: neither a busy Exchange nor a slow network, and never
just because another account could send it. Whenever the paused lane checks whether it still has to
be paused, it sends one of its own messages as a probe; once that succeeds, its mail stays with it.

Not moved are: anything, if the backup has no authorization either; messages that may have been sent
already or have a draft, since only their own mailbox can show which; and messages that are too
large for the backup.
"""

from graphrelay.journal import Journal, events
from graphrelay.mime import reading
from graphrelay.model import (
    Delayed,
    Lane,
    Paused,
    QueueEntry,
    Submission,
)
from graphrelay.relay.deliver.courier import Graph
from graphrelay.relay.outgoing import as_mime, originator
from graphrelay.relay.policy.backups import Backups
from graphrelay.relay.policy.settle import doubt_in
from graphrelay.spool.changes import Changed, Move
from graphrelay.spool.contract import Spool
from graphrelay.spool.errors import MailLost, NotQueued
from graphrelay.spool.queries import HistoryOf


class TakeOver:
    """Moves mail from a paused lane to its backup."""

    def __init__(self, spool: Spool, graph: Graph, journal: Journal, backups: Backups) -> None:
        self._spool = spool
        self._graph = graph
        self._journal = journal
        self._backups = backups

    def use(self, backups: Backups) -> None:
        """Use other settings from now on."""
        self._backups = backups

    def lane(self, lane: Lane, paused: Paused) -> Lane | None:
        """The lane of the backup, if there is one."""
        return self._backups.for_lane(lane, paused.trouble)

    async def move(self, submission_id: int, to: Lane, paused: Paused) -> QueueEntry | None:
        """The entry as queued in the backup's lane; `None` if it is not moved. Raises
        `StorageUnavailable`."""
        if isinstance(await self._graph.session(to), Paused | Delayed):
            return None
        try:
            submission = await self._spool.load(submission_id)
            if not await self._may_go(submission, to):
                return None
            section = await as_mime.as_accepted(submission)
        except (NotQueued, MailLost, as_mime.UnreadableHeader):
            return None
        authors = await reading.of(len(section.octets), originator.authors, section)
        plan = self._backups.plan(submission.plan, authors, to)
        reason = f"from {submission.plan.lane} to {to}: {paused.trouble.value}, {paused.reason}"
        match await self._spool.change(Move(submission.id, plan, reason)):
            case Changed((moved,)):
                self._journal.write(events.Moved(queue_id=submission.queue_id, reason=reason))
                return moved
        return None

    async def _may_go(self, submission: Submission, to: Lane) -> bool:
        largest = self._backups.largest.get(to.account)
        if submission.draft is not None or (largest is not None and submission.size > largest):
            return False
        if submission.attempts == 0:
            return True
        history = await self._spool.read(HistoryOf(submission.queue_id))
        return doubt_in(history, submission.id) is None
