"""The non-delivery reports in a mailbox's Inbox: found by their class, read as MIME.

Exchange's reports are items of the class `REPORT.IPM.Note.NDR`
(PidTagMessageClass, https://learn.microsoft.com/en-us/openspecs/exchange_server_protocols/ms-oxomsg),
whatever the language of their subject. Needs Mail.Read.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import quote

from graphrelay.graph.client import Call
from graphrelay.graph.drafts import MayNotLook
from graphrelay.graph.http.answer import HttpAnswer
from graphrelay.graph.http.exchange import Exchanged
from graphrelay.graph.outcome import TokenDoubt
from graphrelay.model import Delayed, Outcome, Relayed

PAGE = 50
LONGEST = 256 * 1024
"""Octets of a report that are read; what it says comes before the message that it may carry."""
_LIST = 256 * 1024
_CLASS = (
    "singleValueExtendedProperties/Any(ep: ep/id eq 'String 0x001A'"
    " and ep/value eq 'REPORT.IPM.Note.NDR')"
)


class Caller(Protocol):
    """What is needed of a `LaneClient`."""

    async def call(self, call: Call, keep: int = 0) -> Exchanged: ...

    def outcome(self, result: Exchanged, call: Call) -> Outcome | TokenDoubt: ...


@dataclass(frozen=True, slots=True)
class Found:
    """A report; `id` is immutable."""

    id: str
    received_at: datetime


async def reports(
    lane: Caller,
    mailbox: str,
    since: datetime,
    token: str,
    client_request_id: str,
    passed: int = 0,
) -> tuple[Found, ...] | MayNotLook | Delayed | TokenDoubt:
    """The oldest that came at `since` or later, up to `PAGE`, oldest first, behind those that are
    `passed`."""
    condition = quote(f"receivedDateTime ge {since:%Y-%m-%dT%H:%M:%SZ} and {_CLASS}", safe="")
    path = (
        f"{mailbox}/mailFolders/inbox/messages?$filter={condition}"
        f"&$orderby=receivedDateTime%20asc&$select=id,receivedDateTime&$top={PAGE}"
        + (f"&$skip={passed}" if passed else "")
    )
    body = await _look(lane, Call("GET", path, token, client_request_id), _LIST)
    return tuple(_found(body)) if isinstance(body, bytes) else body


async def octets(
    lane: Caller, mailbox: str, report: Found, token: str, client_request_id: str
) -> bytes | MayNotLook | Delayed | TokenDoubt:
    """The report's beginning, as MIME."""
    path = f"{mailbox}/messages/{quote(report.id, safe='')}/$value"
    return await _look(lane, Call("GET", path, token, client_request_id), LONGEST)


async def _look(lane: Caller, call: Call, keep: int) -> bytes | MayNotLook | Delayed | TokenDoubt:
    result = await lane.call(call, keep=keep)
    outcome = lane.outcome(result, call)
    if isinstance(result, HttpAnswer) and result.status == 403:
        return MayNotLook()
    match outcome:
        case Relayed() if isinstance(result, HttpAnswer):
            return result.body[:keep]
        case TokenDoubt() | Delayed():
            return outcome
        case Relayed():
            return Delayed(status="4.3.0", reason="Graph did not show the mailbox")
        case _:
            return Delayed(status="4.3.0", reason=outcome.reason, answer=outcome.answer)


def _found(body: bytes) -> Iterable[Found]:
    """What cannot be read is passed over: there is no message of ours in it to be told of."""
    try:
        document: Any = json.loads(body)
    except (ValueError, RecursionError):
        return
    items = document.get("value") if isinstance(document, dict) else None
    for item in items if isinstance(items, list) else []:
        received = _moment(item.get("receivedDateTime")) if isinstance(item, dict) else None
        if received is not None and isinstance(item.get("id"), str):
            yield Found(item["id"], received)


def _moment(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
        return found.astimezone(UTC) if found and found.tzinfo else None
    except (ValueError, OverflowError):
        return None
