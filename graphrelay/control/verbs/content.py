"""The verbs `queue-content` and `queue-file`: what a message says, and its files, for a person.

    queue-content   header fields, text, and what files there are
    queue-file      the octets of one file; of the file 0, which is the message itself

It is taken apart as for Graph's JSON, and nothing of it is changed. The octets are there while a
part is not done, and then for as long as `log.keep_messages` says.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from graphrelay.control.verb import Asker, Output, Verb, VerbError
from graphrelay.control.verbs.mail import stored
from graphrelay.control.verbs.stored_message import any_with_octets
from graphrelay.mime import encoded_word, entity, reading
from graphrelay.mime.header import HeaderSection
from graphrelay.model import Submission
from graphrelay.relay.outgoing import as_mime, body_parts
from graphrelay.relay.outgoing.attachment import Attachment
from graphrelay.relay.outgoing.body_parts import MessageBody, Sealed
from graphrelay.spool.contract import Spool

LONGEST = 200_000
"""Characters of text, HTML and header fields that are shown, each."""
PIECE = 192 * 1024
"""Octets of a file in one event."""
WHOLE = 0
"""The number of the message itself among its files."""


class ContentVerbs:
    """Over the spool."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    def table(self) -> dict[str, Verb]:
        return {"queue-content": self._content, "queue-file": self._file}

    async def _content(self, arguments: Mapping[str, Any], _: Asker) -> AsyncIterator[Output]:
        submission = await any_with_octets(self._spool, str(arguments["queue_id"]))
        try:
            yield await stored(reading.of(submission.size, _shown, submission))
        except as_mime.UnreadableHeader as error:
            raise VerbError(f"{submission.queue_id} cannot be read: {error}") from error

    async def _file(self, arguments: Mapping[str, Any], _: Asker) -> AsyncIterator[Output]:
        submission = await any_with_octets(self._spool, str(arguments["queue_id"]))
        number = int(arguments.get("number") or WHOLE)
        if number == WHOLE:
            name = f"{submission.queue_id.replace('/', '-')}.eml"
            yield {"kind": "file", "name": name, "type": "message/rfc822", "size": submission.size}
            octets = _all_of(submission)
        else:
            try:
                one = await stored(reading.of(submission.size, _attachment, submission, number))
            except (as_mime.UnreadableHeader, entity.TooTangled) as error:
                raise VerbError(f"{submission.queue_id} cannot be read: {error}") from error
            if one is None:
                raise VerbError(f"{submission.queue_id} has no file {number}")
            size = await stored(asyncio.to_thread(lambda: one.content.size))
            yield {"kind": "file", "name": one.name, "type": one.content_type, "size": size}
            octets = one.content.pieces()
        while piece := await stored(asyncio.to_thread(next, octets, b"")):
            for start in range(0, len(piece), PIECE):
                text = base64.b64encode(piece[start : start + PIECE]).decode()
                yield {"kind": "octets", "base64": text}


def _all_of(submission: Submission) -> Iterator[bytes]:
    """As it was accepted; blocks."""
    if submission.prefix:
        yield submission.prefix
    for start in range(0, submission.body.size, PIECE):
        yield submission.body.read(start, min(start + PIECE, submission.body.size))


def _shown(submission: Submission) -> Output:
    """In a thread; may raise `StorageUnavailable`."""
    section, start = as_mime.spliced(submission)
    fields = [
        [
            section.octets[found.start : found.value_start - 1].decode("ascii", "replace"),
            encoded_word.decode(section.unfolded(found), section.charset)[:LONGEST],
        ]
        for found in section.find("*")
    ]
    shown: Output = {"kind": "content", "fields": fields, "text": "", "is_html": False}
    shown |= {"cut": False, "files": [], "sealed": ""}
    try:
        content = _taken_apart(submission, section, start)
    except entity.TooTangled:
        return shown | {"sealed": "It has more parts than the relay takes apart."}
    if isinstance(content, Sealed):
        return shown | {"sealed": content.reason}
    return shown | {
        "text": content.text[:LONGEST],
        "is_html": content.is_html,
        "cut": len(content.text) > LONGEST,
        "files": [
            {
                "number": number,
                "name": one.name,
                "type": one.content_type,
                "size": one.content.size,
                "content_id": one.content_id,
                "inline": one.inline,
            }
            for number, one in enumerate(content.attachments, 1)
        ],
    }


def _attachment(submission: Submission, number: int) -> Attachment | None:
    """In a thread, likewise."""
    content = _taken_apart(submission, *as_mime.spliced(submission))
    files = () if isinstance(content, Sealed) else content.attachments
    return files[number - 1] if 0 < number <= len(files) else None


def _taken_apart(
    submission: Submission, section: HeaderSection, start: int
) -> MessageBody | Sealed:
    whole = entity.read(section, submission.body, start, submission.body.size)
    return body_parts.take_apart(whole)
