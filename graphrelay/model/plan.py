"""Where a submission goes: the lane it waits in, and what the route decided."""

from dataclasses import dataclass
from typing import Literal

from graphrelay.model.address import Address


@dataclass(frozen=True, slots=True, order=True)
class Lane:
    """One account and mailbox: Exchange's limits hold per lane, so everything waits per lane."""

    account: str
    mailbox: str
    """The mailbox's address, even where Graph is asked for `/me`."""

    def __str__(self) -> str:
        return f"{self.account}/{self.mailbox}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the router decided for a submission when it was accepted.

    It is kept with the mail, so that a later change of the configuration never changes who
    submits mail that was accepted before it, or in whose name.
    """

    route: str
    """The route's name, for people: `routes[0]`, or `default` where the only account was taken."""
    lane: Lane
    from_address: str | None = None
    """What the From header is to say; `None` leaves it as the sender wrote it."""
    content: Literal["mime", "json"] = "mime"
    save_to_sent_items: bool = True
    invitations: Literal["mime", "as-content"] = "as-content"
    """Whether an invitation goes as MIME, whatever `content` and `save_to_sent_items` say."""
    reply_to: str | None = None
    """What the Reply-To header is to say; `None` leaves it to the sender."""
    subject_prefix: str = ""
    redirect_to: str | None = None
    """For staging: who gets the message in place of its recipients, whom it names in its text."""
    unseen: tuple[Address, ...] = ()
    """Recipients whom the route added; of them the sender is told nothing."""
