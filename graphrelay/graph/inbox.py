"""Non-delivery reports in a mailbox's Inbox: found by their message class, read as MIME.

Exchange's reports are items of a class such as `REPORT.IPM.Note.NDR`, `REPORT.IPM.Note.SMIME.NDR`
or `REPORT.IPM.Schedule.Meeting.Request.NDR`
(PidTagMessageClass, https://learn.microsoft.com/en-us/openspecs/exchange_server_protocols/ms-oxomsg),
whatever the language of their subject. Exchange cannot show all of them as MIME; these are read by
their properties. Where it refuses to filter by class, everything that was received is listed, and
the class is looked at here. Needs Mail.Read.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from graphrelay.graph.drafts import MayNotLook, item_path, not_shown
from graphrelay.graph.session import GraphReply, MailboxSession
from graphrelay.model import Delayed, Paused

PAGE = 50
LONGEST = 256 * 1024
"""Octets of a report that are read; its status part comes before the returned message."""
_LIST = 256 * 1024
_CLASS, _REFERENCES, _IN_REPLY_TO = 0x001A, 0x1039, 0x1042
"""PidTagMessageClass, PidTagInternetReferences, PidTagInReplyToId."""
_IS_REPORT = (
    f"singleValueExtendedProperties/Any(ep: ep/id eq 'String 0x{_CLASS:04X}'"
    " and startswith(ep/value, 'REPORT.'))"
)
_TOO_COMPLEX = {"errorrestrictiontoocomplex", "inefficientfilter"}
_NO_MIME = "errormimecontentconversionfailed"


@dataclass(frozen=True, slots=True)
class ReportItem:
    """An item in the Inbox; `id` is immutable."""

    id: str
    received_at: datetime
    is_ndr: bool = True
    """Whether it is a non-delivery report: others are read receipts, or any mail at all."""


@dataclass(frozen=True, slots=True)
class FilterRefused:
    """Exchange does not filter this mailbox by class."""

    code: str


@dataclass(frozen=True, slots=True)
class Properties:
    """What the properties of a report say."""

    references: str
    """The Message-IDs in In-GraphReply-To and References."""
    html: str
    """The text for people; may be plain text."""


async def reports(
    session: MailboxSession,
    since: datetime,
    passed: int = 0,
    page: int = PAGE,
    *,
    by_class: bool = True,
) -> tuple[ReportItem, ...] | FilterRefused | MayNotLook | Delayed | Paused:
    """The reports received at `since` or later, oldest first, up to `page` of them after skipping
    `passed`; without `by_class` other mail too."""
    condition = f"receivedDateTime ge {since:%Y-%m-%dT%H:%M:%SZ}"
    condition += f" and {_IS_REPORT}" if by_class else ""
    path = (
        f"{session.mailbox}/mailFolders/inbox/messages?$filter={quote(condition, safe='')}"
        f"&$orderby=receivedDateTime%20asc&$select=id,receivedDateTime&$expand={_expand(_CLASS)}"
        f"&$top={page}" + (f"&$skip={passed}" if passed else "")
    )
    reply = await _look(session, path, _LIST)
    problem = not_shown(reply)
    if problem and reply.status == 400 and _code(reply) in _TOO_COMPLEX and by_class:
        return FilterRefused(reply.outcome.answer.code)
    return problem or tuple(_found(reply.body[:_LIST]))


async def content(
    session: MailboxSession, report: ReportItem
) -> bytes | Properties | MayNotLook | Delayed | Paused:
    """The beginning of the report as MIME, or its properties where Exchange cannot make MIME."""
    reply = await _look(session, f"{item_path(session, report.id)}/$value", LONGEST)
    problem = not_shown(reply)
    if problem and _code(reply) == _NO_MIME:
        return await _properties(session, report)
    return problem or reply.body[:LONGEST]


async def _properties(
    session: MailboxSession, report: ReportItem
) -> Properties | MayNotLook | Delayed | Paused:
    expand = _expand(_IN_REPLY_TO, _REFERENCES)
    path = f"{item_path(session, report.id)}?$select=id,body&$expand={expand}"
    reply = await _look(session, path, LONGEST)
    if problem := not_shown(reply):
        return problem
    item = _document(reply.body)
    body = item.get("body")
    html = body.get("content") if isinstance(body, dict) else None
    references = " ".join(
        filter(None, (_extended(item, _IN_REPLY_TO), _extended(item, _REFERENCES)))
    )
    return Properties(references, html if isinstance(html, str) else "")


async def _look(session: MailboxSession, path: str, keep: int) -> GraphReply:
    """Mailboxes are polled every few minutes, so a denial counts at once: a new token for each poll
    would be too many."""
    return await session.request("GET", path, keep=keep, denial_counts=True)


def _code(reply: GraphReply) -> str:
    """Compared without regard to case, as Microsoft does not keep to one."""
    return reply.outcome.answer.code.lower()


def _expand(*tags: int) -> str:
    wanted = " or ".join(f"id eq 'String 0x{tag:04X}'" for tag in tags)
    return quote(f"singleValueExtendedProperties($filter={wanted})", safe="()$,=")


def _found(body: bytes) -> Iterable[ReportItem]:
    """Items that cannot be read are skipped: they name no message of ours."""
    items = _document(body).get("value")
    for item in items if isinstance(items, list) else []:
        received = _moment(item.get("receivedDateTime")) if isinstance(item, dict) else None
        if received is not None and isinstance(item.get("id"), str):
            yield ReportItem(item["id"], received, _is_ndr(_extended(item, _CLASS)))


def _is_ndr(message_class: str) -> bool:
    upper = message_class.upper()
    return upper.startswith("REPORT.") and upper.endswith(".NDR")


def _extended(item: dict[str, Any], tag: int) -> str:
    """The value of an extended property. Graph writes `String 0x1a` for `String 0x001A`."""
    found = item.get("singleValueExtendedProperties")
    for one in found if isinstance(found, list) else []:
        if isinstance(one, dict) and isinstance(one.get("value"), str):
            kind, _, number = str(one.get("id")).partition(" ")
            if kind == "String" and _number(number) == tag:
                return str(one["value"])
    return ""


def _number(text: str) -> int | None:
    try:
        return int(text, 16)
    except ValueError:
        return None


def _document(body: bytes) -> dict[str, Any]:
    try:
        document: Any = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _moment(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
        return found.astimezone(UTC) if found and found.tzinfo else None
    except (ValueError, OverflowError):
        return None
