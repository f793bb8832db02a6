"""Non-delivery reports in a mailbox's Inbox: found by their message class, read as MIME.

Exchange's reports are items of the class `REPORT.IPM.Note.NDR`
(PidTagMessageClass, https://learn.microsoft.com/en-us/openspecs/exchange_server_protocols/ms-oxomsg),
whatever the language of their subject. Needs Mail.Read.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from graphrelay.graph.drafts import MayNotLook, item_path, not_shown
from graphrelay.graph.session import MailboxSession
from graphrelay.model import Delayed, Paused

PAGE = 50
LONGEST = 256 * 1024
"""Octets of a report that are read; its status part comes before the returned message."""
_LIST = 256 * 1024
_CLASS = (
    "singleValueExtendedProperties/Any(ep: ep/id eq 'String 0x001A'"
    " and ep/value eq 'REPORT.IPM.Note.NDR')"
)


@dataclass(frozen=True, slots=True)
class ReportItem:
    """A report in the Inbox; `id` is immutable."""

    id: str
    received_at: datetime


async def reports(
    session: MailboxSession, since: datetime, passed: int = 0, page: int = PAGE
) -> tuple[ReportItem, ...] | MayNotLook | Delayed | Paused:
    """The reports received at `since` or later, oldest first, up to `page` of them after skipping
    `passed`."""
    condition = quote(f"receivedDateTime ge {since:%Y-%m-%dT%H:%M:%SZ} and {_CLASS}", safe="")
    path = (
        f"{session.mailbox}/mailFolders/inbox/messages?$filter={condition}"
        f"&$orderby=receivedDateTime%20asc&$select=id,receivedDateTime&$top={page}"
        + (f"&$skip={passed}" if passed else "")
    )
    body = await _look(session, path, _LIST)
    return tuple(_found(body)) if isinstance(body, bytes) else body


async def octets(
    session: MailboxSession, report: ReportItem
) -> bytes | MayNotLook | Delayed | Paused:
    """The beginning of the report, as MIME."""
    return await _look(session, f"{item_path(session, report.id)}/$value", LONGEST)


async def _look(
    session: MailboxSession, path: str, keep: int
) -> bytes | MayNotLook | Delayed | Paused:
    """Mailboxes are polled every few minutes, so a denial counts at once: a new token for each poll
    would be too many."""
    reply = await session.request("GET", path, keep=keep, denial_counts=True)
    return not_shown(reply) or reply.body[:keep]


def _found(body: bytes) -> Iterable[ReportItem]:
    """Items that cannot be read are skipped: they name no message of ours."""
    try:
        document: Any = json.loads(body)
    except (ValueError, RecursionError):
        return
    items = document.get("value") if isinstance(document, dict) else None
    for item in items if isinstance(items, list) else []:
        received = _moment(item.get("receivedDateTime")) if isinstance(item, dict) else None
        if received is not None and isinstance(item.get("id"), str):
            yield ReportItem(item["id"], received)


def _moment(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
        return found.astimezone(UTC) if found and found.tzinfo else None
    except (ValueError, OverflowError):
        return None
