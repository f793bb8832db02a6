"""The messages that the doctor sends. Each has a key, which is never used twice in a run."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from graphrelay.doctor.redaction import OWN_DOMAIN

_TEXT = (
    b"graphrelay doctor sent this message to find out what Exchange does with it.\r\n"
    b"Nothing has to be done, and it may be deleted.\r\n"
)
_PLAIN = ("Content-Type", "text/plain; charset=us-ascii")


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One message; all of it is ASCII except, in some letters, the body."""

    key: str
    run: str
    sender: str
    at: datetime
    """Of its Date field."""
    to: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    fields: tuple[tuple[str, str], ...] = (_PLAIN,)
    body: bytes = field(default=_TEXT, repr=False)

    @property
    def subject(self) -> str:
        """Distinguishes it from all others in the mailbox."""
        return f"graphrelay doctor {self.run} {self.key}"

    @property
    def message_id(self) -> str:
        return f"<{self.key}.{self.run}@{OWN_DOMAIN}>"

    @property
    def recipients(self) -> tuple[str, ...]:
        return self.to + self.bcc

    @property
    def octets(self) -> bytes:
        """As RFC 5322 writes it."""
        lines = [
            *([("From", f"graphrelay doctor <{self.sender}>")] if self.sender else []),
            *([("To", ", ".join(self.to))] if self.to else []),
            *([("Bcc", ", ".join(self.bcc))] if self.bcc else []),
            ("Subject", self.subject),
            ("Message-ID", self.message_id),
            ("Date", format_datetime(self.at)),
            ("MIME-Version", "1.0"),
            *self.fields,
        ]
        head = "".join(f"{name}: {value}\r\n" for name, value in lines)
        return head.encode("ascii") + b"\r\n" + self.body

    def as_json(self, headers: tuple[str, ...] = ()) -> dict[str, Any]:
        """Graph's `message` resource; `headers` are names of X- fields."""
        message: dict[str, Any] = {
            "subject": self.subject,
            "body": {"contentType": "text", "content": self.body.decode()},
            "internetMessageId": self.message_id,
            "toRecipients": [{"emailAddress": {"address": one}} for one in self.to],
            "bccRecipients": [{"emailAddress": {"address": one}} for one in self.bcc],
        }
        if headers:
            message["internetMessageHeaders"] = [{"name": one, "value": "1"} for one in headers]
        return message


_LINES = (b"A" * 76 + b"\r\n") * 1_000


@dataclass(frozen=True, slots=True)
class Padded:
    """`size` octets, from `head` to `tail`; never entirely in memory."""

    head: bytes = field(repr=False)
    size: int
    tail: bytes = b""
    filler: bytes = field(default=_LINES, repr=False)

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        yield self.head
        left = self.size - len(self.head) - len(self.tail)
        while left > 0:
            piece = self.filler[:left]
            left -= len(piece)
            yield piece
        yield self.tail
