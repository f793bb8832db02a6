"""Finding messages: mainly by Message-ID, which is how the relay finds out what happened after a
lost answer."""

from collections.abc import Iterable
from email.parser import HeaderParser
from fnmatch import fnmatchcase
from typing import Any

from aiohttp import web

from graphrelay.sandbox.graph.call import METADATA, Call
from graphrelay.sandbox.graph.errors import GraphError
from graphrelay.sandbox.graph.faults import ClassFilterRefused, StaleReplica
from graphrelay.sandbox.graph.query import Query
from graphrelay.sandbox.graph.view import folder_id, known_property, message_json
from graphrelay.sandbox.mailbox_items import Folder, Item, Mail


async def messages(call: Call) -> web.Response:
    """GET /messages, GET /mailFolders/{folder}/messages."""
    query = Query.of(call.request)
    if unknown := [name for name in query.select if not known_property(name)]:
        raise GraphError(
            "RequestBodyRead",
            f"Could not find a property named '{min(unknown)}' on type 'microsoft.graph.message'.",
        )
    folder = _folder(call.arguments[0]) if call.arguments else None
    if query.item_class and (refused := call.fault(ClassFilterRefused)):
        raise GraphError(refused.code, status=400)
    seen = () if call.fault(StaleReplica) else _candidates(call, query)
    everywhere = [item for item in seen if _matches(call, query, item)]
    found = [item for item in everywhere if folder in (None, _seen_in(item))]
    if query.newest_first:
        found.reverse()
    page = found[query.skip : query.skip + query.top]
    shown = [_shown(call, item, query.select) | extended(call, item, query.expand) for item in page]
    for item in everywhere:
        item.seems_draft_for = max(0, item.seems_draft_for - 1)
    answer: dict[str, Any] = {
        "@odata.context": f"{METADATA}#users('{call.box.oid}')/messages",
        "value": shown,
    }
    if len(found) > query.skip + query.top:
        answer["@odata.nextLink"] = str(
            call.request.url.update_query({"$skip": str(query.skip + query.top)})
        )
    return call.answer(200, answer)


async def folders(call: Call) -> web.Response:
    """GET /mailFolders."""
    return call.answer(
        200,
        {
            "@odata.context": f"{METADATA}#users('{call.box.oid}')/mailFolders",
            "value": [_folder_json(call, folder) for folder in Folder],
        },
    )


async def folder(call: Call) -> web.Response:
    """GET /mailFolders/{folder}."""
    return call.answer(200, _folder_json(call, _folder(call.arguments[0])))


def _candidates(call: Call, query: Query) -> Iterable[Item]:
    """By the index where the filter allows it: look-ups stay quick in a full mailbox."""
    box = call.cloud.mailboxes.box(call.box)
    message_id = query.message_id()
    return box.items() if message_id is None else box.with_message_id(message_id)


def _class_of(call: Call, item: Item) -> str:
    """PidTagMessageClass."""
    is_report = isinstance(item.content, Mail) and item.content.via == "report"
    return call.cloud.mailboxes.settings.report_class if is_report else "IPM.Note"


def extended(call: Call, item: Item, tags: Iterable[int]) -> dict[str, Any]:
    """`singleValueExtendedProperties` with those of `tags` that the item has, named as Graph does:
    `String 0x1a` for `String 0x001A`."""
    head = item.content.outgoing.head if isinstance(item.content, Mail) else b""
    fields = HeaderParser().parsestr(head.decode("utf-8", "replace"))
    known = {
        0x001A: _class_of(call, item),
        0x1039: fields.get("References", ""),
        0x1042: fields.get("In-Reply-To", ""),
    }
    found = [{"id": f"String 0x{tag:x}", "value": known[tag]} for tag in tags if known.get(tag, "")]
    return {"singleValueExtendedProperties": found} if found else {}


def _seen_in(item: Item) -> Folder:
    return Folder.DRAFTS if item.seems_draft_for else item.folder


def _matches(call: Call, query: Query, item: Item) -> bool:
    if query.item_class and not fnmatchcase(_class_of(call, item), query.item_class):
        return False
    if not query.filters:
        return True
    names = frozenset(one.name for one in query.filters)
    shown = _shown(call, item, names)
    return all(one.holds(shown[one.name]) for one in query.filters)


def _shown(call: Call, item: Item, select: frozenset[str]) -> dict[str, Any]:
    return message_json(item, call.box, immutable=call.immutable_ids, select=set(select))


def _folder(name: str) -> Folder:
    for known in Folder:
        if name.lower() == known.value or name == folder_id(known):
            return known
    raise GraphError("ErrorItemNotFound" if name.startswith("AQMk") else "ErrorInvalidIdMalformed")


def _folder_json(call: Call, folder: Folder) -> dict[str, Any]:
    return {
        "id": folder_id(folder),
        "displayName": folder.display_name,
        "parentFolderId": "AQMkSandboxRoot=",
        "childFolderCount": 0,
        "unreadItemCount": 0,
        "totalItemCount": call.cloud.mailboxes.box(call.box).count(folder),
        "isHidden": False,
    }
