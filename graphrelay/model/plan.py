"""How a submission is sent: its lane, and the route's decisions."""

from dataclasses import dataclass
from typing import Literal

from graphrelay.model.address import Address


@dataclass(frozen=True, slots=True, order=True)
class Lane:
    """An account and a mailbox: Exchange's limits apply to a lane, so mail is queued by lane."""

    account: str
    mailbox: str
    """The mailbox's address, even if requests use `/me`."""

    def __str__(self) -> str:
        return f"{self.account}/{self.mailbox}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The router's decisions about a submission when it was accepted.

    It is stored with the mail, so that a later change of the configuration does not change the
    account or the sender of mail that was accepted before.
    """

    route: str
    """The route's name, for display: `routes[0]`, or `default` if the only account is used."""
    lane: Lane
    from_address: str | None = None
    """The address for From; `None` leaves the sender's."""
    content: Literal["mime", "json"] = "mime"
    save_to_sent_items: bool = True
    invitations: Literal["mime", "as-content"] = "as-content"
    """Whether an invitation is sent as MIME, whatever `content` and `save_to_sent_items` say."""
    reply_to: str | None = None
    """The address for Reply-To; `None` leaves the sender's."""
    subject_prefix: str = ""
    redirect_to: str | None = None
    """For trials: who gets the message instead of its recipients, whom its text names."""
    unseen: tuple[Address, ...] = ()
    """Recipients added by the route; the sender gets no reports about them."""
