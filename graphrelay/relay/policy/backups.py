"""Which account takes over from which, and how a message is sent then. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from graphrelay.model import Address, Lane, Plan, Trouble, in_small_letters, same_address
from graphrelay.relay.policy.mailbox import SendingAccount, usable


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
