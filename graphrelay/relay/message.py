"""The message as Graph gets it: the header section spliced for this submission, the rest untouched.

What goes out depends on the submission alone, so that each retry sends the same octets. Only the
header section is ever in memory; what follows is read from disk in pieces as it is sent.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from graphrelay.model import (
    FiledBody,
    InlineBody,
    OctetSource,
    StorageUnavailable,
    Submission,
)
from graphrelay.relay import header, recipients, sender
from graphrelay.relay.header import HeaderSection

PIECE = 256 * 1024
INLINE_HEADER = 64 * 1024
"""Longer header sections are read in a thread: hostile ones take a second."""


class UnreadableHeader(Exception):  # noqa: N818 (a condition, not a programming error)
    """The header section has no end within the limit; acceptance refuses such messages."""


@dataclass(frozen=True, slots=True)
class InMemory:
    """A small message, whole."""

    octets: bytes = field(repr=False)

    @property
    def size(self) -> int:
        return len(self.octets)

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self.octets


@dataclass(frozen=True, slots=True)
class HeadAndFile:
    """A header section in memory, and the rest of the message from a place in a file on."""

    head: bytes = field(repr=False)
    path: Path
    start: int
    end: int

    @property
    def size(self) -> int:
        return len(self.head) + self.end - self.start

    async def chunks(self) -> AsyncIterator[bytes]:
        """Raises `StorageUnavailable` where the file cannot be read to its end."""
        yield self.head
        at = self.start
        try:
            opened = await asyncio.to_thread(self.path.open, "rb", 0)
            with opened:
                await asyncio.to_thread(opened.seek, at)
                while at < self.end:
                    piece = await asyncio.to_thread(opened.read, min(PIECE, self.end - at))
                    if not piece:
                        raise StorageUnavailable(f"{self.path} is shorter than it was")
                    at += len(piece)
                    yield piece
        except OSError as error:
            raise StorageUnavailable(f"cannot read {self.path}: {error.strerror}") from error


async def outgoing(submission: Submission) -> OctetSource:
    """The octets of `submission` for Graph. Raises `StorageUnavailable`."""
    match submission.body:
        case InlineBody(octets):
            if len(octets) > INLINE_HEADER:
                return await asyncio.to_thread(_inline, submission, octets)
            return _inline(submission, octets)
        case FiledBody():
            return await asyncio.to_thread(_filed, submission, submission.body)


def _inline(submission: Submission, octets: bytes) -> OctetSource:
    message = submission.prefix + octets
    section = header.read(message)
    if section is None:
        raise UnreadableHeader(submission.queue_id)
    return InMemory(rendered(section, submission) + message[section.body_start :])


def _filed(submission: Submission, body: FiledBody) -> OctetSource:
    try:
        with body.path.open("rb") as opened:
            beginning = opened.read(header.LIMIT + 4)
    except OSError as error:
        raise StorageUnavailable(f"cannot read {body.path}: {error.strerror}") from error
    section = header.read(submission.prefix + beginning, complete=len(beginning) >= body.size)
    if section is None:
        raise UnreadableHeader(submission.queue_id)
    start = section.body_start - len(submission.prefix)
    return HeadAndFile(rendered(section, submission), body.path, start, body.size)


def rendered(section: HeaderSection, submission: Submission) -> bytes:
    """The header section for this submission, with the empty line that ends it."""
    whom = recipients.edits(section, submission.envelope.forward_paths)
    who = sender.edits(section, submission.plan)
    added = _doubles(section, submission.prefix)
    replacements = added | whom.replacements | who.replacements
    return section.spliced(replacements, who.added + whom.added) + b"\r\n"


def _doubles(section: HeaderSection, prefix: bytes) -> dict[header.Field, bytes]:
    """Empty fields that acceptance put better ones before."""
    if not prefix:
        return {}
    given = section.find("date", "message-id")
    return {
        found: b"" for found in given if found.start >= len(prefix) and not section.unfolded(found)
    }
