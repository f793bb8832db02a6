"""Non-delivery reports: whether they can be filtered by class, and how one looks."""

from typing import Any
from urllib.parse import quote

from graphrelay.doctor.examination import CannotTell, Examination, said, taken
from graphrelay.doctor.finding import Different, Finding, judged
from graphrelay.graph import inbox
from graphrelay.graph.inbox import FilterRefused
from graphrelay.model import Delayed, Paused

USUAL = "REPORT.IPM.Note.NDR"
_CLASS = quote("singleValueExtendedProperties($filter=id eq 'String 0x001A')", safe="()$,=")


async def filtered(of: Examination) -> Finding:
    """The request that `bounces = true` makes every five minutes."""
    found = await inbox.reports(await of.session(), of.started_at)
    match found:
        case FilterRefused(code=code):
            return Different(f"refused: {code}")
        case tuple():
            return judged(True, "filtered")
        case Delayed() | Paused():
            raise CannotTell(found.reason)
        case _:
            raise CannotTell("the mailbox does not show it (Mail.Read)")


async def report(of: Examination) -> Finding:
    """A letter to an address that cannot exist."""
    letter = of.letter("nobody", of.nobody)
    taken(await of.send(letter))
    try:
        (item, *_) = await of.until(lambda: _reports(of))
    except CannotTell as problem:
        return Different(f"no report: {problem}")
    of.drafts.add(str(item["id"]))  # to be deleted with them
    reply = await of.request("GET", f"{of.item(str(item['id']))}/$value")
    name = _class_of(item)
    readable = reply.status == 200
    named = letter.message_id.encode() in reply.body
    way = "names our message" if named else "does not name our message"
    seen = f"class {name}; as MIME: {said(reply)}" + (f", {way}" if readable else "")
    return judged(name == USUAL and readable and named, seen)


async def _reports(of: Examination) -> list[dict[str, Any]]:
    """All that came since the start and is of a class of reports."""
    since = quote(f"receivedDateTime ge {of.started_at:%Y-%m-%dT%H:%M:%SZ}", safe="")
    path = f"/mailFolders/inbox/messages?$filter={since}&$select=id,receivedDateTime"
    found = (await of.look(f"{path}&$expand={_CLASS}&$top=50")).get("value")
    items = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    return [one for one in items if _class_of(one).upper().startswith("REPORT.")]


def _class_of(item: dict[str, Any]) -> str:
    properties = item.get("singleValueExtendedProperties")
    found = properties[0] if isinstance(properties, list) and properties else {}
    return str(found.get("value") or "") if isinstance(found, dict) else ""
