"""The verb `resend`: a message once more, as it was, while its octets are kept.

    octets, envelope, origin of a done message ──▶ reception ──▶ another message, with its own id

It is routed by the present configuration: what was sent through the wrong account is sent through
the right one. Date and Message-ID stay, so that the recipient's mail program sees the same message.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

from graphrelay.clock import Clock
from graphrelay.control.verb import Asker, Output, Verb, VerbError, said
from graphrelay.control.verbs.mail import stored
from graphrelay.control.verbs.stored_message import history, with_octets
from graphrelay.journal import Journal, events
from graphrelay.model import Accepted, Done, Envelope, Reply, Submission, one_line
from graphrelay.relay.accept.reception import MailReception
from graphrelay.spool.changes import NoteResent
from graphrelay.spool.contract import Spool
from graphrelay.spool.queue_ids import normalised, part_id
from graphrelay.spool.values import MessageHistory, PartHistory

PIECE = 256 * 1024


class ResendVerb:
    """`resend`."""

    def __init__(
        self, spool: Spool, reception: MailReception, journal: Journal, clock: Clock
    ) -> None:
        self._spool = spool
        self._reception = reception
        self._journal = journal
        self._clock = clock

    def table(self) -> dict[str, Verb]:
        return {"resend": self._resend}

    async def _resend(self, arguments: Mapping[str, Any], _: Asker) -> AsyncIterator[Output]:
        queue_id, reason = str(arguments["queue_id"]), said(arguments, "reason")
        found = await history(self._spool, queue_id)
        parts = _chosen(found, queue_id)
        submissions = [await with_octets(self._spool, found, part) for part in parts]
        accepted = await self._accept(submissions)
        old = ", ".join(one.queue_id for one in submissions)
        self._journal.write(events.Resent(accepted.queue_id, of=old, reason=reason or None))
        text = one_line(f"as {accepted.queue_id}{f': {reason}' if reason else ''}")
        for one in submissions:
            await stored(self._spool.change(NoteResent(one.id, text, self._clock.now())))
        recipients = [str(path) for one in submissions for path in one.envelope.forward_paths]
        yield {
            "kind": "accepted",
            "queue_id": accepted.queue_id,
            "of": found.queue_id,
            "recipients": recipients,
        }

    async def _accept(self, submissions: list[Submission]) -> Accepted:
        first, envelope = submissions[0], _together(submissions)
        origin, sender = replace(first.origin, author=""), envelope.reverse_path
        if refusal := self._reception.sender(sender, origin):
            raise VerbError(f"it is refused now: {refusal}")
        for path in envelope.forward_paths:
            if refusal := self._reception.recipient(path, sender, origin):
                raise VerbError(f"it is refused now: {refusal}")
        body = self._reception.incoming()
        try:
            await stored(body.write(_without_trace(first.prefix)))
            for start in range(0, first.body.size, PIECE):
                end = min(start + PIECE, first.body.size)
                octets = await stored(asyncio.to_thread(first.body.read, start, end))
                await stored(body.write(octets))
            answer = await stored(self._reception.accept(envelope, origin, body))
        finally:
            await body.discard()
        if isinstance(answer, Reply):
            raise VerbError(f"it is refused now: {answer}")
        return answer


def _chosen(found: MessageHistory, queue_id: str) -> list[PartHistory]:
    """The part that the id names, or all if it names none. Raises `VerbError` for what waits."""
    name, number = normalised(queue_id)
    parts = [
        part for part in found.parts if number is None or part.queue_id == part_id(name, number)
    ]
    if not parts:
        raise VerbError(f"{name} has no part {number}; it has {len(found.parts)}")
    for part in parts:
        if not isinstance(part.state, Done):
            raise VerbError(
                f"{part.queue_id} is still in the queue and will be sent: "
                f"graphrelay queue show {part.queue_id}"
            )
    return parts


def _together(parts: list[Submission]) -> Envelope:
    """One envelope for the recipients of all of them."""
    return replace(
        parts[0].envelope,
        forward_paths=tuple(path for one in parts for path in one.envelope.forward_paths),
        dsn_requests=tuple(asked for one in parts for asked in one.envelope.dsn_requests),
    )


def _without_trace(prefix: bytes) -> bytes:
    """What was added at acceptance, without this relay's Received field, which counts visits."""
    if not prefix.startswith(b"Received: "):
        return prefix
    return prefix.partition(b"\r\n")[2]
