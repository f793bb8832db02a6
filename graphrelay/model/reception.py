"""What the SMTP server needs of the part that accepts mail."""

from typing import Protocol

from graphrelay.model.address import Address
from graphrelay.model.envelope import Accepted, Envelope, Origin, Reply
from graphrelay.model.message import IncomingBody


class Reception(Protocol):
    """What the SMTP server needs of the part that accepts mail. Every answer is a reply, never an
    exception."""

    def size_limit(self, origin: Origin) -> int:
        """The size in octets of the largest message accepted from this origin (RFC 1870)."""
        ...

    def sender(self, reverse_path: Address | None, origin: Origin) -> Reply | None:
        """The refusal of MAIL FROM; `None` if there is none so far."""
        ...

    def recipient(
        self, forward_path: Address, reverse_path: Address | None, origin: Origin
    ) -> Reply | None:
        """The refusal of RCPT TO, or `None`."""
        ...

    def incoming(self) -> IncomingBody:
        """Takes the octets of the message that follows."""
        ...

    async def accept(
        self, envelope: Envelope, origin: Origin, body: IncomingBody
    ) -> Accepted | Reply:
        """Accept the message durably, or return the refusal. Must run to its end once started."""
        ...
