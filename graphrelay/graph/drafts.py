"""Messages in a mailbox: made as drafts, sent, looked at, looked for.

This is what settles a doubt. A draft has an immutable id, which stays the same when Exchange has
sent it and moved it to Sent Items (https://learn.microsoft.com/en-us/graph/outlook-immutable-id); a
message that went out by sendMail is found by its Message-ID. Both need Mail.ReadWrite or a
permission to read, which most accounts do not have.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import quote

from graphrelay.graph.client import Call, Upload
from graphrelay.graph.http.answer import HttpAnswer
from graphrelay.graph.http.exchange import Exchanged
from graphrelay.graph.outcome import TokenDoubt
from graphrelay.model import (
    Address,
    Delayed,
    Failed,
    OctetSource,
    Outcome,
    Paused,
    Relayed,
    Uncertain,
)

Harmless = Relayed | Delayed | Failed | Paused | TokenDoubt

_MOST = 50
"""Copies of a message that are looked at. There is one, unless something is badly wrong."""
LONGEST = 5 * 1024 * 1024
"""Of an answer that shows a message or an attachment: Graph repeats what it was given, which is not
more than one request can carry."""
_SELECT = "id,isDraft,createdDateTime,toRecipients,ccRecipients,bccRecipients"


class Caller(Protocol):
    """What is needed of a `LaneClient`."""

    async def call(self, call: Call, keep: int = 0) -> Exchanged: ...

    async def call_with_mime(self, call: Call, mime: OctetSource, keep: int = 0) -> Exchanged: ...

    async def call_with_json(self, call: Call, body: OctetSource, keep: int = 0) -> Exchanged: ...

    async def upload(self, upload: Upload, body: OctetSource | None = None) -> Exchanged: ...

    def outcome(self, result: Exchanged, call: Call) -> Outcome | TokenDoubt: ...


@dataclass(frozen=True, slots=True)
class Mime:
    """A message as its octets."""

    octets: OctetSource


@dataclass(frozen=True, slots=True)
class Json:
    """A message as Graph's `message` resource."""

    octets: OctetSource


@dataclass(frozen=True, slots=True)
class Drafted:
    """A draft was made; `id` is immutable."""

    id: str


@dataclass(frozen=True, slots=True)
class Copy:
    """A message in the mailbox: sent, or still a draft."""

    id: str
    is_draft: bool
    created_at: datetime
    recipients: frozenset[str]
    """Keys (`Address.key`) of those in To, Cc and Bcc."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look-up showed."""

    copies: tuple[Copy, ...]


@dataclass(frozen=True, slots=True)
class MayNotLook:
    """The account may not read the mailbox."""


async def create(
    lane: Caller, mailbox: str, content: Mime | Json, token: str, client_request_id: str
) -> Drafted | Outcome | TokenDoubt:
    """Put a message into Drafts. It never counts as sent, so nothing here is `Uncertain`.

    Raises what `LaneClient.send_mime` raises.
    """
    call = Call("POST", f"{mailbox}/messages", token, client_request_id)
    if isinstance(content, Mime):
        result = await lane.call_with_mime(call, content.octets, keep=LONGEST)
    else:
        result = await lane.call_with_json(call, content.octets, keep=LONGEST)
    outcome = nothing_sent(lane.outcome(result, call))
    if not isinstance(outcome, Relayed):
        return outcome
    if isinstance(result, HttpAnswer) and (draft := _id(result.body)):
        return Drafted(draft)
    reason = "Graph made a draft and did not say which"
    return Delayed(status="4.3.0", reason=reason, answer=outcome.answer)


def nothing_sent(outcome: Outcome | TokenDoubt) -> Harmless:
    """What an unclear answer means where the request does not send mail."""
    if not isinstance(outcome, Uncertain):
        return outcome
    return Delayed(
        status="4.3.2",
        reason=outcome.reason,
        retry_after=outcome.retry_after,
        answer=outcome.answer,
    )


async def send(
    lane: Caller, mailbox: str, draft: str, token: str, client_request_id: str
) -> Outcome | TokenDoubt:
    """Send a draft. Where that stays open, the outcome names the draft.

    A draft that is not there any more may have been sent by a request whose answer was lost.
    """
    call = Call("POST", f"{item_path(mailbox, draft)}/send", token, client_request_id)
    result = await lane.call(call)
    outcome = lane.outcome(result, call)
    if isinstance(outcome, Uncertain):
        return replace(outcome, draft=draft)
    if isinstance(result, HttpAnswer) and result.status == 404 and isinstance(outcome, Delayed):
        reason = "the draft is not there any more"
        return Uncertain(reason=reason, answer=outcome.answer, draft=draft)
    return outcome


async def look_at(
    lane: Caller, mailbox: str, item: str, token: str, client_request_id: str
) -> Seen | MayNotLook | Delayed | TokenDoubt:
    """The message of that id, in a tuple of one or none."""
    path = f"{item_path(mailbox, item)}?$select={_SELECT}"
    answer = await _look(lane, Call("GET", path, token, client_request_id))
    if not isinstance(answer, HttpAnswer):
        return answer
    if answer.status == 404:
        return Seen(())
    return Seen(tuple(_copies([_json(answer.body)])))


async def find(
    lane: Caller, mailbox: str, message_id: str, token: str, client_request_id: str
) -> Seen | MayNotLook | Delayed | TokenDoubt:
    """Every message in the mailbox with that Message-ID, in whatever folder."""
    literal = message_id.replace("'", "''")
    condition = quote(f"internetMessageId eq '{literal}'", safe="", errors="replace")
    path = f"{mailbox}/messages?$filter={condition}&$select={_SELECT}&$top={_MOST}"
    answer = await _look(lane, Call("GET", path, token, client_request_id))
    if not isinstance(answer, HttpAnswer):
        return answer
    document = _json(answer.body)
    found = document.get("value") if isinstance(document, dict) else None
    if answer.status == 404 or not isinstance(found, list):
        return Delayed(status="4.3.0", reason="Graph gave no list of messages")
    return Seen(tuple(_copies(found)))


async def delete(
    lane: Caller, mailbox: str, draft: str, token: str, client_request_id: str
) -> bool | TokenDoubt:
    """Take a draft away that will not be sent; whether it is gone. If not, it does no harm."""
    call = Call("DELETE", item_path(mailbox, draft), token, client_request_id)
    result = await lane.call(call)
    if isinstance(result, HttpAnswer) and result.status == 404:
        return True
    outcome = lane.outcome(result, call)
    return outcome if isinstance(outcome, TokenDoubt) else isinstance(outcome, Relayed)


async def _look(lane: Caller, call: Call) -> HttpAnswer | MayNotLook | Delayed | TokenDoubt:
    """A 2xx, or 404. What is uncertain for a submission is none for a look: nothing was changed."""
    result = await lane.call(call, keep=LONGEST)
    outcome = lane.outcome(result, call)
    if isinstance(result, HttpAnswer):
        if result.status == 403:
            return MayNotLook()
        if isinstance(outcome, Relayed) or result.status == 404:
            return result
    match outcome:
        case TokenDoubt() | Delayed():
            return outcome
        case Relayed():
            return Delayed(status="4.3.0", reason="Graph did not show the message")
        case _:
            return Delayed(status="4.3.0", reason=outcome.reason, answer=outcome.answer)


def item_path(mailbox: str, item: str) -> str:
    return f"{mailbox}/messages/{quote(item, safe='')}"


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _id(body: bytes) -> str:
    document = _json(body)
    found = document.get("id") if isinstance(document, dict) else None
    return found if isinstance(found, str) else ""


def _copies(items: list[Any]) -> Iterable[Copy]:
    for item in items:
        if isinstance(item, dict) and isinstance(item.get("id"), str):
            yield Copy(
                id=item["id"],
                is_draft=item.get("isDraft") is not False,
                created_at=_moment(item.get("createdDateTime")),
                recipients=frozenset(_addresses(item)),
            )


def _moment(text: object) -> datetime:
    """What cannot be read counts as very old, so that it never settles a doubt."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        found = None
    if found is None:
        return datetime.min.replace(tzinfo=UTC)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _addresses(item: dict[str, Any]) -> Iterable[str]:
    for name in ("toRecipients", "ccRecipients", "bccRecipients"):
        people = item.get(name)
        for person in people if isinstance(people, list) else ():
            named = person.get("emailAddress") if isinstance(person, dict) else None
            address = named.get("address") if isinstance(named, dict) else None
            if isinstance(address, str):
                yield Address.parse(address).key
