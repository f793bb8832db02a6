"""The message as Graph gets it: the header section edited for this submission, the rest unchanged.

The result depends on the submission alone, so that each retry sends the same octets. Only the
header section is in memory; the rest is read from disk in pieces while it is sent.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from graphrelay.mime import header, reading
from graphrelay.mime.header import Edits, Field, HeaderSection
from graphrelay.model import (
    Address,
    Body,
    Envelope,
    InlineBody,
    OctetsInMemory,
    OctetSource,
    Origin,
    Plan,
    Submission,
)
from graphrelay.relay.outgoing import charset, destination, originator, redirect

PIECE = 256 * 1024


class UnreadableHeader(Exception):  # noqa: N818 (a condition, not a programming error)
    """The header section has no end within the limit; acceptance refuses such messages."""


@dataclass(frozen=True, slots=True)
class HeadAndBody:
    """A header section in memory, and the rest of the message from a place in its body on."""

    head: bytes = field(repr=False)
    body: Body = field(repr=False)
    start: int
    end: int
    tail: bytes = field(default=b"", repr=False)

    @property
    def size(self) -> int:
        return len(self.head) + self.end - self.start + len(self.tail)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Raises `StorageUnavailable` if the body cannot be read to its end."""
        yield self.head
        for at in range(self.start, self.end, PIECE):
            yield await asyncio.to_thread(self.body.read, at, min(at + PIECE, self.end))
        if self.tail:
            yield self.tail


async def outgoing(submission: Submission) -> OctetsInMemory | HeadAndBody:
    """The octets of `submission` for Graph. Raises `StorageUnavailable`."""
    beginning = await _beginning(submission)
    size = reading.header_size(beginning, len(submission.envelope.forward_paths))
    return await reading.of(size, _outgoing, submission, beginning)


async def bare(submission: Submission) -> tuple[OctetSource, tuple[str, ...]]:
    """The same without the header fields for which Exchange has no property, and their names: used
    if Graph refused one of them, as it does not reliably say which. Raises `StorageUnavailable`."""
    source = await outgoing(submission)
    head = source.octets if isinstance(source, OctetsInMemory) else source.head
    return await reading.of(reading.header_size(head), _bare, source)


def _bare(source: OctetsInMemory | HeadAndBody) -> tuple[OctetSource, tuple[str, ...]]:
    octets = source.octets if isinstance(source, OctetsInMemory) else source.head
    section = header.read(octets)
    if section is None:
        raise UnreadableHeader("a header section of ours")
    refused = [one for one in section.find("*") if not _has_property(one.name)]
    kept = section.spliced(Edits(dict.fromkeys(refused, b"")))
    found = kept + b"\r\n" + octets[section.body_start :]
    names = dict.fromkeys(
        section.octets[one.start : one.value_start - 1].decode("ascii") for one in refused
    )
    lost = lost_fields(list(names), ": Graph refused a header field")
    if isinstance(source, OctetsInMemory):
        return OctetsInMemory(found), lost
    return replace(source, head=found), lost


MOST_NAMED = 30
"""How many header fields are named one by one; a message may have thousands."""


def lost_fields(names: list[str], why: str = "") -> tuple[str, ...]:
    """Which header fields were removed, in words."""
    named = tuple(f"the header field {name}{why}" for name in names[:MOST_NAMED])
    more = len(names) - len(named)
    return (*named, f"{more} more header fields{why}") if more > 0 else named


_PROPERTIES = frozenset(
    {
        "bcc",
        "cc",
        "date",
        "disposition-notification-to",
        "from",
        "importance",
        "in-reply-to",
        "list-unsubscribe",
        "message-id",
        "mime-version",
        "priority",
        "references",
        "reply-to",
        "return-receipt-to",
        "sensitivity",
        "subject",
        "thread-index",
        "thread-topic",
        "to",
        "x-msmail-priority",
        "x-priority",
    }
)
"""Fields with a property of their own in a mailbox (MS-OXCMAIL section 2.1.3)."""


def _has_property(name: str) -> bool:
    return name in _PROPERTIES or name.startswith("content-")


def _outgoing(submission: Submission, beginning: bytes) -> OctetsInMemory | HeadAndBody:
    section, start = _section(submission, beginning)
    head, tail = rendered(section, submission)
    match submission.body:
        case InlineBody(octets):
            return OctetsInMemory(head + octets[start:] + tail)
        case body:
            return HeadAndBody(head, body, start, body.size, tail)


def spliced(submission: Submission) -> tuple[HeaderSection, int]:
    """The header section as sent, and where the content begins in the body's octets. Blocks; raises
    `StorageUnavailable` and `UnreadableHeader`."""
    section, start = _section(submission, _read(submission.body))
    octets = section.spliced(_edits(section, submission))
    return HeaderSection(octets, len(octets)), start


async def as_accepted(submission: Submission) -> HeaderSection:
    """The header section as it was read at acceptance, with the fields that were added then.
    Raises `StorageUnavailable` and `UnreadableHeader`."""
    beginning = await _beginning(submission)
    found, _ = await reading.of(reading.header_size(beginning), _section, submission, beginning)
    return found


async def _beginning(submission: Submission) -> bytes:
    """More than the header section of the body."""
    if isinstance(submission.body, InlineBody):
        return submission.body.octets
    return await asyncio.to_thread(_read, submission.body)


def _read(body: Body) -> bytes:
    if isinstance(body, InlineBody):
        return body.octets
    return body.read(0, header.LIMIT + 4)


def _section(submission: Submission, beginning: bytes) -> tuple[HeaderSection, int]:
    complete = len(beginning) >= submission.body.size
    section = header.below(submission.prefix, beginning, complete=complete)
    if section is None:
        raise UnreadableHeader(submission.queue_id)
    return section, section.body_start


def rendered(section: HeaderSection, submission: Submission) -> tuple[bytes, bytes]:
    """What comes before the body, with the empty line after the header section, and after it."""
    edits = _edits(section, submission)
    if not submission.plan.redirect_to:
        return section.spliced(edits) + b"\r\n", b""
    wrapping = redirect.wrapping(section, submission)
    return section.spliced(edits | wrapping.edits) + b"\r\n" + wrapping.before, wrapping.after


def size_of(
    section: HeaderSection, prefix: bytes, plan: Plan, envelope: Envelope, size: int
) -> int:
    """Octets of the whole message as it will be sent. Its `size` octets as accepted begin with
    `section`. Blocks as long as editing does."""
    part = Submission(
        id=10**9,
        queue_id="0" * 12,
        envelope=envelope,
        origin=Origin("", ""),
        plan=plan,
        received_at=datetime.fromtimestamp(0, UTC),
        message_id="",
        prefix=prefix,
        body=InlineBody(b""),
        attempts=0,
    )
    whole = HeaderSection(prefix + section.octets, section.body_start)
    head, tail = rendered(whole, part)
    return len(head) + size - section.body_start + len(tail)


def _edits(section: HeaderSection, submission: Submission) -> Edits:
    plan = submission.plan
    whom = submission.envelope.forward_paths
    if plan.redirect_to:
        whom = (Address.parse(plan.redirect_to),)
    return (
        _doubles(section)
        | originator.edits(section, plan)
        | charset.subject_edits(section, plan.subject_prefix)
        | destination.edits(section, whom)
    )


def _doubles(section: HeaderSection) -> Edits:
    """One Date, one Message-ID and one Subject, the first of each that is not empty: acceptance
    uses that one, and which of two Exchange uses is not documented. Others are kept under another
    name."""
    replacements: dict[Field, bytes] = {}
    for name in ("date", "message-id", "subject"):
        given = list(section.find(name))
        if len(given) < 2:
            continue
        counts = section.telling(name) or given[0]
        replacements |= {
            one: b"X-Graphrelay-" + section.line(one) if section.unfolded(one) else b""
            for one in given
            if one != counts
        }
    return Edits(replacements)
