"""The envelope (RFC 5321, RFC 3461), the origin of a message, and replies to SMTP clients."""

from dataclasses import dataclass, replace
from typing import Literal

from graphrelay.model.address import Address

Notify = Literal["NEVER", "SUCCESS", "FAILURE", "DELAY"]


@dataclass(frozen=True, slots=True)
class DsnRequest:
    """The reports that the sender wants about a recipient (RFC 3461 sections 4.1 and 4.2)."""

    path: Address
    notify: tuple[Notify, ...] = ()
    """Empty: the relay's default."""
    original: str = ""
    """ORCPT: the original recipient, with its type: `rfc822;anna@example.org`."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """Sender and recipients (RFC 5321 section 2.3.1). It alone decides who receives the message."""

    reverse_path: Address | None
    """`None` is the null sender `<>`: a report, to which no report may be sent."""
    forward_paths: tuple[Address, ...]
    envelope_id: str = ""
    """ENVID: the sender's identifier of the message (RFC 3461 section 4.4)."""
    ret: Literal["", "FULL", "HDRS"] = ""
    """RET: how much of the message a report is to return (RFC 3461 section 4.3)."""
    dsn_requests: tuple[DsnRequest, ...] = ()
    """For the recipients for whom the sender gave parameters."""

    def to(self, forward_paths: tuple[Address, ...]) -> "Envelope":
        """The same envelope with these recipients only."""
        if forward_paths == self.forward_paths:
            return self
        paths = frozenset(forward_paths) if self.dsn_requests else frozenset()
        requests = tuple(one for one in self.dsn_requests if one.path in paths)
        return replace(self, forward_paths=forward_paths, dsn_requests=requests)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a message came from, as seen by the SMTP session."""

    listener: str
    """The listener as configured, such as `127.0.0.1:2525`."""
    client: str
    """The client's IP address, `unix` for a Unix socket, or `unix:USER` for mail that USER left in
    the drop folder."""
    helo: str = ""
    login: str | None = None
    tls: str | None = None
    """The TLS version (`TLSv1.3`), or `None` in clear text."""
    author: str = ""
    """The `key` of the first address in From, once that has been read; empty if there is none."""

    def by(self, author: str) -> "Origin":
        """The same of a message by that author."""
        return Origin(self.listener, self.client, self.helo, self.login, self.tls, author)


@dataclass(frozen=True, slots=True)
class Reply:
    """An SMTP reply with its enhanced status code (RFC 3463)."""

    code: int
    status: str
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.status} {self.text}"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The message is on disk, and the relay is responsible for it."""

    queue_id: str
