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

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from graphrelay.journal import Journal, events
from graphrelay.mime import reading
from graphrelay.model import (
    Address,
    Delayed,
    Lane,
    Paused,
    Plan,
    QueueEntry,
    Submission,
    Trouble,
    in_small_letters,
    same_address,
)
from graphrelay.relay.deliver.courier import Graph
from graphrelay.relay.outgoing import as_mime, originator
from graphrelay.relay.policy.mailbox import SendingAccount, usable
from graphrelay.relay.policy.settle import doubt_in
from graphrelay.spool import Spool
from graphrelay.spool.changes import Changed, Move
from graphrelay.spool.errors import MailLost, NotQueued
from graphrelay.spool.queries import HistoryOf


@dataclass(frozen=True, slots=True)
class Backups:
    """The backup account of each account."""

    accounts: Mapping[str, SendingAccount] = field(default_factory=dict)
    backup_of: Mapping[str, str] = field(default_factory=dict)
    """Names of accounts, as in the configuration."""
    largest: Mapping[str, int] = field(default_factory=dict)
    """For each account the size in octets of the largest message that it can submit; without an
    entry, there is no limit."""

    def for_lane(self, lane: Lane, trouble: Trouble) -> Lane | None:
        """The lane that takes over from a paused lane. It has the same mailbox if only the
        authorization has failed and the backup may use that mailbox; else the backup's own."""
        other = self.accounts.get(self.backup_of.get(lane.account, ""))
        if other is None:
            return None
        if trouble is Trouble.AUTHORIZATION and other.may_use(lane.mailbox):
            return Lane(other.name, in_small_letters(other.mailbox_of(lane.mailbox)))
        mailbox = other.default_mailbox
        if mailbox is None or same_address(mailbox, lane.mailbox):
            return None
        return Lane(other.name, in_small_letters(mailbox))

    def plan(self, plan: Plan, authors: Iterable[Address], lane: Lane) -> Plan:
        """The plan for `lane`. From is kept if it is the mailbox, or one that the signed-in user
        may use; an application is assumed to have Send As for no other mailbox."""
        other = self.accounts[lane.account]
        written = next(iter(authors), None)
        if plan.from_address:
            written = Address.parse(plan.from_address)
        stays = (
            written is None
            or same_address(str(written), lane.mailbox)
            or (
                other.username is not None
                and usable(other, written)
                and other.may_stand_in_from(str(written))
            )
        )
        return replace(plan, lane=lane, from_address=plan.from_address if stays else lane.mailbox)


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
