"""What a non-delivery report (NDR, RFC 3464) says: which message, which recipients, and why. Pure.
If addresses go beyond ASCII, its parts have other types (RFC 6533).

Nothing is expected to be there: a message that cannot be understood is not a report. Anybody can
write one, so the cost of reading it, and what is kept of it, are limited.
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
"""Each one is looked up, with each recipient."""
MOST_MULTIPARTS = 50
"""Each line is compared with the boundaries of all multiparts around it. A report has a few, and
those of the message in it."""
_MULTIPART = re.compile(rb"boundary\s*[*=]|message/delivery-status", re.IGNORECASE)
_GLOBAL_STATUS = "message/global-delivery-status"
_STATUS = {"message/delivery-status", _GLOBAL_STATUS}
_ORIGINAL = {"message/rfc822", "message/global", "message/global-headers"}
_BLANK_LINE = re.compile(r"\n[ \t]*\r?\n")
_MESSAGE_ID = re.compile(r"<[^<>\s]+>")


@dataclass(frozen=True, slots=True)
class Failure:
    """One recipient to whom the message was not delivered."""

    recipient: str
    status: str
    """Enhanced status code (RFC 3463), or empty."""
    reason: str


@dataclass(frozen=True, slots=True)
class Ndr:
    """A report about a message that has one of these Message-IDs, the most likely first."""

    message_ids: tuple[str, ...]
    failures: tuple[Failure, ...]


def read(octets: bytes) -> Ndr | None:
    """`None` if it is not a report of failure. May take a second."""
    if sum(1 for _ in islice(_MULTIPART.finditer(octets), MOST_MULTIPARTS + 1)) > MOST_MULTIPARTS:
        return None
    try:
        report = BytesParser(policy=compat32).parsebytes(octets)
        if report.get_content_type() != "multipart/report":
            return None
        failures = tuple(islice(_failures(report), MOST_FAILURES))
        ids = tuple(dict.fromkeys(islice(_message_ids(report), MOST_IDS)))
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
        return None  # raised by the email package for malformed input
    return Ndr(ids, failures) if ids and failures else None


def _failures(report: Message) -> Iterator[Failure]:
    for part in report.walk():
        for block in _blocks(part) if part.get_content_type() in _STATUS else ():
            recipient = _typed(block, "Final-Recipient") or _typed(block, "Original-Recipient")
            known = 0 < len(recipient) <= LONGEST_RECIPIENT
            if known and _text(block, "Action").lower() == "failed":
                reason = _typed(block, "Diagnostic-Code")[:LONGEST_REASON]
                yield Failure(recipient, _text(block, "Status")[:LONGEST_STATUS], reason)


def _blocks(status: Message) -> Iterator[Message]:
    """The groups of fields. Python's parser supports the ASCII form only, and reads the global one
    as a message whose text is all groups but the first."""
    for block in status.get_payload():
        if not isinstance(block, Message):
            continue
        yield block
        rest = block.get_payload(decode=True)
        if status.get_content_type() == _GLOBAL_STATUS and isinstance(rest, bytes):
            for group in _BLANK_LINE.split(rest.decode("utf-8", "replace"), MOST_FAILURES):
                yield HeaderParser().parsestr(group.lstrip())


def _message_ids(report: Message) -> Iterator[str]:
    """Those in the returned message's header first, then those that the report refers to."""
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
    """The value after its type, as in `rfc822;anna@example.org`."""
    kind, semicolon, value = _text(block, name).partition(";")
    return value.strip() if semicolon else kind


def _text(message: Message, name: str) -> str:
    """On one line, printable."""
    return one_line(message.get(name, ""))
