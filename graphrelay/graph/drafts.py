"""Messages in a mailbox: create, send, read, find and delete them.

This settles whether a message was sent. A draft is found by its immutable id, and what was sent by
its Message-ID: one page says that the id stays the same when a draft is sent
(https://learn.microsoft.com/en-us/graph/outlook-immutable-id), another and several reports that it
does not (https://learn.microsoft.com/en-us/graph/api/resources/mail-api-overview). Both need
Mail.ReadWrite or a permission to read, which most accounts do not have.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from graphrelay.graph.session import ACCEPTED, CREATED, GraphReply, Json, MailboxSession, Mime
from graphrelay.model import (
    Address,
    Delayed,
    Failed,
    Outcome,
    Paused,
    Relayed,
    Trouble,
    Uncertain,
)

Harmless = Relayed | Delayed | Failed | Paused

_MOST = 50
"""Copies of a message that are read. Usually there is one."""
LONGEST = 5 * 1024 * 1024
"""Octets of an answer that shows a message or an attachment: Graph repeats what it was given, which
is not more than one request can carry."""
_UNKNOWN = datetime.min.replace(tzinfo=UTC)
_SELECT = "id,isDraft,createdDateTime,parentFolderId,toRecipients,ccRecipients,bccRecipients"
_NO_SUCH_ITEM = {"erroritemnotfound", "itemnotfound"}
_NO_SUCH_ACTION = {400, 404, 405, 501}


@dataclass(frozen=True, slots=True)
class Drafted:
    """A draft was created; `id` is immutable."""

    id: str
    created_at: datetime | None = None
    """By Exchange's clock, if it said so."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A message in the mailbox: sent, or still a draft."""

    id: str
    is_draft: bool
    created_at: datetime
    recipients: frozenset[str]
    """Keys (`Address.key`) of those in To, Cc and Bcc."""
    folder: str = ""
    """The id of the folder that it is in."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found in the mailbox."""

    copies: tuple[Copy, ...]


@dataclass(frozen=True, slots=True)
class MayNotLook:
    """The account may not read the mailbox."""


async def create(session: MailboxSession, content: Mime | Json) -> Drafted | Outcome:
    """Put a message into Drafts. It never counts as sent, so nothing here is `Uncertain`.

    Raises what `MailboxSession.send` raises.
    """
    reply = await session.request(
        "POST", f"{session.mailbox}/messages", content, keep=LONGEST, success=CREATED
    )
    outcome = nothing_sent(reply.outcome)
    if not isinstance(outcome, Relayed):
        return outcome
    for made in _copies([_json(reply.body)]):
        known = made.created_at > _UNKNOWN
        return Drafted(made.id, made.created_at if known else None)
    reason = "Graph created a draft and did not return its id"
    return Delayed(status="4.3.0", reason=reason, answer=outcome.answer)


def nothing_sent(outcome: Outcome) -> Harmless:
    """The outcome of a request that does not send mail: an unclear answer is no doubt there."""
    if not isinstance(outcome, Uncertain):
        return outcome
    return Delayed(
        status="4.3.2",
        reason=outcome.reason,
        retry_after=outcome.retry_after,
        answer=outcome.answer,
    )


async def send(session: MailboxSession, draft: str) -> Outcome:
    """Send a draft. If the outcome is `Uncertain`, it names the draft.

    A draft that does not exist any more may have been sent by a request whose answer was lost.
    """
    reply = await session.request("POST", f"{item_path(session, draft)}/send", success=ACCEPTED)
    outcome = reply.outcome
    if isinstance(outcome, Uncertain):
        return replace(outcome, draft=draft)
    if reply.status == 404 and isinstance(outcome, Delayed):
        reason = "the draft does not exist any more"
        return Uncertain(reason=reason, answer=outcome.answer, draft=draft)
    return outcome


async def look_at(session: MailboxSession, item: str) -> Seen | MayNotLook | Delayed | Paused:
    """The message with that id, in a tuple of one or none; none for a draft that was deleted."""
    reply = await session.request(
        "GET", f"{item_path(session, item)}?$select={_SELECT}", keep=LONGEST
    )
    if reply.status == 404:
        return Seen(())
    return not_shown(reply) or await _not_deleted(session, tuple(_copies([_json(reply.body)])))


async def find(session: MailboxSession, message_id: str) -> Seen | MayNotLook | Delayed | Paused:
    """Every message in the mailbox with that Message-ID, in whatever folder, but for drafts in
    Deleted Items."""
    literal = message_id.replace("'", "''")
    condition = quote(f"internetMessageId eq '{literal}'", safe="", errors="replace")
    path = f"{session.mailbox}/messages?$filter={condition}&$select={_SELECT}&$top={_MOST}"
    reply = await session.request("GET", path, keep=LONGEST)
    if reply.status != 404 and (problem := not_shown(reply)):
        return problem
    document = _json(reply.body)
    found = document.get("value") if isinstance(document, dict) else None
    if reply.status == 404 or not isinstance(found, list):
        return Delayed(status="4.3.0", reason="Graph gave no list of messages")
    return await _not_deleted(session, tuple(_copies(found)))


async def _not_deleted(
    session: MailboxSession, copies: tuple[Copy, ...]
) -> Seen | MayNotLook | Delayed | Paused:
    """Without drafts in Deleted Items, to which DELETE moves them. The folder is asked for only if
    there is a draft."""
    if not any(copy.is_draft and copy.folder for copy in copies):
        return Seen(copies)
    reply = await session.request("GET", f"{session.mailbox}/mailFolders/deleteditems?$select=id")
    if problem := not_shown(reply):
        return problem
    document = _json(reply.body)
    deleted = document.get("id") if isinstance(document, dict) else None
    return Seen(tuple(copy for copy in copies if not copy.is_draft or copy.folder != deleted))


async def beginning(session: MailboxSession, draft: str, most: int) -> GraphReply:
    """The first octets of a draft as Exchange writes it in MIME: `most` of them, if there are so
    many, and more."""
    return await session.request("GET", f"{item_path(session, draft)}/$value", keep=most)


async def delete(session: MailboxSession, draft: str) -> bool:
    """Delete a draft that will not be sent, for good if Graph offers that
    (https://learn.microsoft.com/en-us/graph/api/message-permanentdelete; not in every cloud), else
    to Deleted Items. Returns whether it is gone; if not, it does no harm."""
    path = item_path(session, draft)
    reply = await session.request("POST", f"{path}/permanentDelete")
    if isinstance(reply.outcome, Relayed) or reply.outcome.answer.code.lower() in _NO_SUCH_ITEM:
        return True
    if reply.status not in _NO_SUCH_ACTION:
        return False
    reply = await session.request("DELETE", path)
    return reply.status == 404 or isinstance(reply.outcome, Relayed)


def not_shown(reply: GraphReply) -> MayNotLook | Delayed | Paused | None:
    """Why the mailbox could not be read, if so. What is uncertain for a submission is only delayed
    here, as nothing was changed."""
    outcome = reply.outcome
    if reply.status == 403:
        return MayNotLook()
    match outcome:
        case Relayed():
            return None
        case Delayed():
            return outcome
        case Paused() if outcome.trouble is Trouble.AUTHORIZATION:
            return outcome
        case _:
            return Delayed(status="4.3.0", reason=outcome.reason, answer=outcome.answer)


def item_path(session: MailboxSession, item: str) -> str:
    return f"{session.mailbox}/messages/{quote(item, safe='')}"


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _copies(items: list[Any]) -> Iterable[Copy]:
    for item in items:
        if isinstance(item, dict) and isinstance(item.get("id"), str):
            yield Copy(
                id=item["id"],
                is_draft=item.get("isDraft") is not False,
                created_at=_moment(item.get("createdDateTime")),
                recipients=frozenset(_addresses(item)),
                folder=str(item.get("parentFolderId") or ""),
            )


def _moment(text: object) -> datetime:
    """A time that cannot be read counts as very old, so that the copy never settles a doubt."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        found = None
    if found is None:
        return _UNKNOWN
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _addresses(item: dict[str, Any]) -> Iterable[str]:
    for name in ("toRecipients", "ccRecipients", "bccRecipients"):
        people = item.get(name)
        for person in people if isinstance(people, list) else ():
            named = person.get("emailAddress") if isinstance(person, dict) else None
            address = named.get("address") if isinstance(named, dict) else None
            if isinstance(address, str):
                yield Address.parse(address).key
