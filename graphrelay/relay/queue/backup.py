"""A backup account: it takes over what waits in a paused lane, where the admin named one.

    [accounts.website]            lane paused: authorization, quota, blocked
    backup = "alerts"       ──▶   its mail goes by the account "alerts", until the lane looks again

Nothing else makes mail go by another account: not a busy Exchange, not a slow network, and never
because another account could do it. Each time when the paused lane looks whether it still must be,
a message of its own goes to see; when that gets through, mail stays where it belongs.

Left where it is: everything, where the backup has no authorization either; what may have been sent
already or lies in Drafts, since only its own mailbox can tell; what is too large for the backup.
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
    """Which account stands in for which."""

    accounts: Mapping[str, SendingAccount] = field(default_factory=dict)
    backup_of: Mapping[str, str] = field(default_factory=dict)
    """Names of accounts, as the admin wrote them."""
    largest: Mapping[str, int] = field(default_factory=dict)
    """Per account the octets of the largest message that it can submit; none given: no limit."""

    def for_lane(self, lane: Lane, trouble: Trouble) -> Lane | None:
        """Where mail of a paused lane may go instead. The same mailbox, if only the authorization
        is to blame and the backup may use it; else the backup's own."""
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
        """The plan for `lane`. From stays where it is the mailbox, or one that the user who signed
        in may use; an application holds Send As for nobody, as far as anybody knows."""
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
        """Go by other settings from now on."""
        self._backups = backups

    def lane(self, lane: Lane, paused: Paused) -> Lane | None:
        """The backup's lane, if there is one."""
        return self._backups.for_lane(lane, paused.trouble)

    async def move(self, submission_id: int, to: Lane, paused: Paused) -> QueueEntry | None:
        """As it waits in the backup's lane; `None` where it stays. Raises `StorageUnavailable`."""
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
