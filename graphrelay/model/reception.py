"""What the SMTP face asks of those who own the mail."""

from typing import Protocol

from graphrelay.model.address import Address
from graphrelay.model.envelope import Accepted, Envelope, Origin, Reply
from graphrelay.model.message import IncomingBody


class Reception(Protocol):
    """What the SMTP face asks of those who own the mail. Every answer is a reply, never an
    exception."""

    def size_limit(self, origin: Origin) -> int:
        """The largest message in octets that can be taken from there (RFC 1870)."""
        ...

    def sender(self, reverse_path: Address | None, origin: Origin) -> Reply | None:
        """`None`: fine so far. Else the refusal for MAIL FROM."""
        ...

    def recipient(
        self, forward_path: Address, reverse_path: Address | None, origin: Origin
    ) -> Reply | None:
        """`None`: fine. Else the refusal for RCPT TO."""
        ...

    def incoming(self) -> IncomingBody:
        """Where to put the octets of the message that is about to come."""
        ...

    async def accept(
        self, envelope: Envelope, origin: Origin, body: IncomingBody
    ) -> Accepted | Reply:
        """Own the message, durably, or say why not. Must run to its end once begun."""
        ...
