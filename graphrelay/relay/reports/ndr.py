"""What a non-delivery report says (RFC 3464): of which message, for whom, and why. Pure. Where
addresses go beyond ASCII, its parts have types of their own (RFC 6533).

Nothing in it is trusted to be there: a report that cannot be understood is none. Anybody can write
one, so that what reading costs, and what is kept of it, has limits.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser, HeaderParser
from email.policy import compat32
from itertools import islice

from graphrelay.model import one_line

LONGEST_REASON = 500
LONGEST_RECIPIENT = 320
LONGEST_STATUS = 20
MOST_FAILURES = 500
MOST_IDS = 20
"""Each one is looked for, with each recipient."""
MOST_MULTIPARTS = 50
"""Each line is compared with the boundaries of all those around it. A report has a handful, and
those of the message that it is about."""
_MULTIPART = re.compile(rb"boundary\s*[*=]|message/delivery-status", re.IGNORECASE)
_GLOBAL_STATUS = "message/global-delivery-status"
_STATUS = {"message/delivery-status", _GLOBAL_STATUS}
_ORIGINAL = {"message/rfc822", "message/global", "message/global-headers"}
_BLANK_LINE = re.compile(r"\n[ \t]*\r?\n")
_MESSAGE_ID = re.compile(r"<[^<>\s]+>")


@dataclass(frozen=True, slots=True)
class Failure:
    """One recipient."""

    recipient: str
    status: str
    """Enhanced status code (RFC 3463), or empty."""
    reason: str


@dataclass(frozen=True, slots=True)
class Bounce:
    """A report about a message that has one of these Message-IDs, the likeliest first."""

    message_ids: tuple[str, ...]
    failures: tuple[Failure, ...]


def read(octets: bytes) -> Bounce | None:
    """`None` for what is no report of failure. May take a second."""
    if sum(1 for _ in islice(_MULTIPART.finditer(octets), MOST_MULTIPARTS + 1)) > MOST_MULTIPARTS:
        return None
    try:
        report = BytesParser(policy=compat32).parsebytes(octets)
        if report.get_content_type() != "multipart/report":
            return None
        failures = tuple(islice(_failures(report), MOST_FAILURES))
        ids = tuple(dict.fromkeys(islice(_message_ids(report), MOST_IDS)))
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
        return None  # what the email package makes of broken input
    return Bounce(ids, failures) if ids and failures else None


def _failures(report: Message) -> Iterator[Failure]:
    for part in report.walk():
        for block in _blocks(part) if part.get_content_type() in _STATUS else ():
            recipient = _typed(block, "Final-Recipient") or _typed(block, "Original-Recipient")
            known = 0 < len(recipient) <= LONGEST_RECIPIENT
            if known and _text(block, "Action").lower() == "failed":
                reason = _typed(block, "Diagnostic-Code")[:LONGEST_REASON]
                yield Failure(recipient, _text(block, "Status")[:LONGEST_STATUS], reason)


def _blocks(status: Message) -> Iterator[Message]:
    """The groups of fields. Python knows them in the ASCII form only; of the global one it makes a
    message, whose text is all groups but the first."""
    for block in status.get_payload():
        if not isinstance(block, Message):
            continue
        yield block
        rest = block.get_payload(decode=True)
        if status.get_content_type() == _GLOBAL_STATUS and isinstance(rest, bytes):
            for group in _BLANK_LINE.split(rest.decode("utf-8", "replace"), MOST_FAILURES):
                yield HeaderParser().parsestr(group.lstrip())


def _message_ids(report: Message) -> Iterator[str]:
    """The original's own header first; then what the report answers."""
    for part in report.walk():
        original: object = None
        if part.get_content_type() == "text/rfc822-headers":
            payload = part.get_payload(decode=True)
            if isinstance(payload, bytes):
                original = HeaderParser().parsestr(payload.decode("utf-8", "replace"))
        elif part.get_content_type() in _ORIGINAL:
            inner = part.get_payload()
            original = inner[0] if isinstance(inner, list) and inner else None
        if isinstance(original, Message):
            yield from _MESSAGE_ID.findall(_text(original, "Message-ID"))
    for name in ("In-Reply-To", "References"):
        yield from _MESSAGE_ID.findall(_text(report, name))


def _typed(block: Message, name: str) -> str:
    """The value behind its type: `rfc822;anna@example.org`."""
    kind, semicolon, value = _text(block, name).partition(";")
    return value.strip() if semicolon else kind


def _text(message: Message, name: str) -> str:
    """On one line, printable."""
    return one_line(message.get(name, ""))
