"""What a non-delivery report (NDR, RFC 3464) says: which message, which recipients, and why. Pure.
If addresses go beyond ASCII, its parts have other types (RFC 6533).

    report ──entity──▶ its parts ──▶ groups of fields ──▶ Failure …
                            └─────▶ header section of the message in it ──▶ Message-ID

Nothing is expected to be there: a message that cannot be understood is not a report. Anybody can
write one, so it is read by the readers of `graphrelay.mime`, in linear time, and what is kept of it
is limited.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from itertools import islice, zip_longest

from graphrelay.mime import entity, header
from graphrelay.mime.entity import Entity
from graphrelay.mime.header import HeaderSection
from graphrelay.model import InlineBody, one_line
from graphrelay.oauth import initial_domain

LONGEST_REASON = 500
LONGEST_RECIPIENT = 320
LONGEST_STATUS = 20
MOST_FAILURES = 500
MOST_IDS = 20
"""Each one is looked up, with each recipient."""
REMEDIES = {
    "5.1.1": "correct the recipient's address",
    "5.1.10": "correct the recipient's address",
    "5.2.2": "the recipient's mailbox is full: contact them in another way",
    "5.7.1": "the recipient's organization refuses the sender: ask its postmaster",
    "5.7.705": "Microsoft has blocked the tenant from sending: see Defender > Restricted entities",
    "5.7.708": "Microsoft refuses mail from a new or little used tenant: ask Microsoft's support",
    initial_domain.NDR_STATUS: initial_domain.REMEDY,
}
"""What an admin can do, by the enhanced status code of an NDR
(https://learn.microsoft.com/exchange/mail-flow-best-practices/non-delivery-reports-in-exchange-online)."""
_LONGEST_PART = 1 << 20
"""Octets of a part that are read: 500 recipients take half as many."""
_LONGEST_VALUE = 16 * 1024
_MOST_GROUPS = 2 * MOST_FAILURES
_STATUS = {"message/delivery-status", "message/global-delivery-status"}
_ORIGINAL = {"message/rfc822", "message/global", "message/global-headers", "text/rfc822-headers"}
_BLANK_LINES = re.compile(rb"\r\n(?:[ \t]*+\r\n)++")
_MESSAGE_ID = re.compile(r"<[^<>\s]+>")
_TAG = re.compile(r"<[^<>]*>")
_ADDRESS = re.compile(
    r"[^\s<>()\",;:'\[\]@]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,10}"
)
_REPLY = re.compile(r"\b[45]\d\d[ -]([45]\.\d{1,3}\.\d{1,3})\b[^\r\n]*")
"""An SMTP reply with an enhanced status code, which is the same in every language."""
_NEAR = 300
"""Characters between a recipient and the reply about it."""


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
    section = header.read(octets)
    if section is None:
        return None
    source = InlineBody(octets)
    try:
        report = entity.read(section, source, section.body_start, source.size)
    except entity.TooTangled:
        return None
    if report.content_type.value != "multipart/report":
        return None
    failures = tuple(islice(_failures(report), MOST_FAILURES))
    ids = tuple(dict.fromkeys(islice(_message_ids(report), MOST_IDS)))
    return Ndr(ids, failures) if ids and failures else None


def of_properties(references: str, html: str) -> Ndr | None:
    """The same from In-Reply-To and References, and the text for people, where Exchange cannot show
    the report as MIME. A recipient is an address that an SMTP reply follows closely: the text lists
    others too, such as those in the header section of the message. `None` if there are none."""
    text = unescape(_TAG.sub(" ", html))
    addresses = list(islice(_ADDRESS.finditer(text), MOST_FAILURES))
    failures: dict[str, Failure] = {}
    for found, following in zip_longest(addresses, addresses[1:]):
        end = min(found.end() + _NEAR, following.start() if following else len(text))
        if reply := _REPLY.search(text, found.end(), end):
            reason = one_line(reply[0], LONGEST_REASON)
            failures.setdefault(found[0], Failure(found[0], reply[1], reason))
    ids = tuple(dict.fromkeys(islice(_MESSAGE_ID.findall(references), MOST_IDS)))
    return Ndr(ids, tuple(failures.values())) if ids and failures else None


def _parts(whole: Entity, types: set[str]) -> Iterator[Entity]:
    if whole.content_type.value in types:
        yield whole
    for part in whole.children:
        yield from _parts(part, types)


def _failures(report: Entity) -> Iterator[Failure]:
    for part in _parts(report, _STATUS):
        for group in _groups(part.content.beginning(_LONGEST_PART)):
            recipient = _typed(group, "final-recipient") or _typed(group, "original-recipient")
            known = 0 < len(recipient) <= LONGEST_RECIPIENT
            if known and _text(group, "action").lower() == "failed":
                reason = _typed(group, "diagnostic-code")[:LONGEST_REASON]
                yield Failure(recipient, _text(group, "status")[:LONGEST_STATUS], reason)


def _groups(status: bytes) -> Iterator[HeaderSection]:
    """Fields of the message, then of each recipient, with empty lines between (section 2.1)."""
    lines = b"\r\n".join([b"", *status[:_LONGEST_PART].splitlines(), b""])
    for group in _BLANK_LINES.split(lines, _MOST_GROUPS)[:_MOST_GROUPS]:
        fields = group.removesuffix(b"\r\n") + b"\r\n"
        yield HeaderSection(fields, len(fields))


def _message_ids(report: Entity) -> Iterator[str]:
    """Those in the returned message's header first, then those that the report refers to."""
    for part in _parts(report, _ORIGINAL):
        if original := header.read(part.content.beginning(header.LIMIT)[: header.LIMIT]):
            yield from _MESSAGE_ID.findall(_text(original, "message-id"))
    for name in ("in-reply-to", "references"):
        yield from _MESSAGE_ID.findall(_text(report.header, name))


def _typed(group: HeaderSection, name: str) -> str:
    """The value after its type, as in `rfc822;anna@example.org`."""
    kind, semicolon, value = _text(group, name).partition(";")
    return value.strip() if semicolon else kind


def _text(section: HeaderSection, name: str) -> str:
    """On one line, printable."""
    found = section.first(name)
    octets = section.value(found)[:_LONGEST_VALUE] if found else b""
    return one_line(octets.decode("utf-8", "replace"))
