"""The verb `queue-content`: what a message that is not done says, for a person to read.

It is taken apart as for Graph's JSON, and nothing of it is changed. The octets are gone with the
last part; then there is nothing to show.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from graphrelay.control.verb import Asker, Output, Verb, VerbError
from graphrelay.control.verbs.mail import stored
from graphrelay.mime import encoded_word, entity, reading
from graphrelay.model import Done, Submission
from graphrelay.relay.outgoing import as_mime, body_parts
from graphrelay.relay.outgoing.body_parts import Sealed
from graphrelay.spool.contract import Spool
from graphrelay.spool.errors import MailLost, NotQueued
from graphrelay.spool.queries import HistoryOf

LONGEST = 200_000
"""Characters of text, HTML and header fields that are shown, each."""


class ContentVerbs:
    """Over the spool."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    def table(self) -> dict[str, Verb]:
        return {"queue-content": self._content}

    async def _content(self, arguments: Mapping[str, Any], _: Asker) -> AsyncIterator[Output]:
        queue_id = str(arguments["queue_id"])
        found = await stored(self._spool.read(HistoryOf(queue_id)))
        if found is None:
            raise VerbError(f"no message {queue_id} in the queue or in the mail log")
        open_parts = (part for part in found.parts if not isinstance(part.state, Done))
        part = next(open_parts, None)
        if part is None:
            raise VerbError(f"the text of {queue_id} was deleted: every part of it is done")
        try:
            submission = await stored(self._spool.load(part.submission_id))
            yield await stored(reading.of(submission.size, _shown, submission))
        except NotQueued as error:
            raise VerbError(f"the text of {queue_id} was deleted meanwhile") from error
        except (MailLost, as_mime.UnreadableHeader) as error:
            raise VerbError(f"{queue_id} cannot be read: {error}") from error


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
        whole = entity.read(section, submission.body, start, submission.body.size)
    except entity.TooTangled:
        return shown | {"sealed": "It has more parts than the relay takes apart."}
    content = body_parts.take_apart(whole)
    if isinstance(content, Sealed):
        return shown | {"sealed": content.reason}
    return shown | {
        "text": content.text[:LONGEST],
        "is_html": content.is_html,
        "cut": len(content.text) > LONGEST,
        "files": [
            {"name": one.name, "type": one.content_type, "inline": one.inline}
            for one in content.attachments
        ],
    }
