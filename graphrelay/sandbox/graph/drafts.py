"""Drafts: made, read, changed, given attachments, sent.

Whatever a draft holds, sending it leaves a copy in Sent Items, moved there under the same immutable
id and another default one. A MIME draft is sent octet for octet; once it is edited or given an
attachment, Exchange converts it into properties, and anything that they cannot hold is lost;
`MailSettings.mime_draft_files` has what else it may do with the attachment.
"""

from dataclasses import replace
from typing import Any

from aiohttp import web

from graphrelay.sandbox.graph.call import METADATA, Call
from graphrelay.sandbox.graph.errors import GraphError
from graphrelay.sandbox.graph.faults import DraftStuck, ItemNotFoundOnSend, StaleReplica
from graphrelay.sandbox.graph.lookup import extended
from graphrelay.sandbox.graph.message import attachment, composition
from graphrelay.sandbox.graph.query import Query
from graphrelay.sandbox.graph.sending import composed, new_message_id, submit
from graphrelay.sandbox.graph.view import attachment_id, attachment_json, message_json
from graphrelay.sandbox.mailbox_items import Draft, Folder, Item, MimeDraft, read_id
from graphrelay.sandbox.mailbox_settings import MimeDraftFiles
from graphrelay.sandbox.mime import Attachment, fields_of, read_content, read_head
from graphrelay.sandbox.mime_compose import (
    Composition,
    taken_apart,
    with_attachment,
    with_files,
)


def find(call: Call) -> Item:
    """The item that the URL names."""
    wanted = read_id(call.arguments[0])
    if wanted is None:
        raise GraphError("ErrorInvalidIdMalformed")
    item = call.cloud.mailboxes.box(call.box).find(wanted)
    if item is None:
        raise GraphError("ErrorItemNotFound")
    return item


def find_draft(call: Call) -> tuple[Item, Draft]:
    """The same, where it must still be a draft: sent mail cannot be changed or sent."""
    item = find(call)
    if not isinstance(item.content, Draft):
        raise GraphError("ErrorItemNotFound")
    return item, item.content


async def create(call: Call) -> web.Response:
    """POST /messages, as MIME or JSON."""
    content: MimeDraft | Composition
    match call.content_type:
        case "text/plain":
            octets = await call.mime()
            content = MimeDraft(octets)
            message_id = read_head(fields_of(octets)).message_id
        case "application/json":
            content = composition(await call.json())
            message_id = content.message_id
        case _:
            raise GraphError("UnsupportedMediaType")
    _check_size(call, content)
    item = call.cloud.mailboxes.file_draft(call.box, content, message_id or new_message_id())
    return call.answer(201, _shown(call, item), {"Location": _url(call, item)})


async def read(call: Call) -> web.Response:
    """GET /messages/{id}."""
    query = Query.of(call.request)
    if call.fault(StaleReplica):
        raise GraphError("ErrorItemNotFound")
    item = find(call)
    shown = _shown(call, item, query.select) | extended(call, item, query.expand)
    item.seems_draft_for = max(0, item.seems_draft_for - 1)
    return call.answer(200, shown)


async def value(call: Call) -> web.Response:
    """GET /messages/{id}/$value: the message in the form of RFC 5322."""
    item = find(call)
    content = item.content
    if not isinstance(content, Draft):
        if content.via == "report" and not call.cloud.mailboxes.settings.reports_as_mime:
            raise GraphError("ErrorMimeContentConversionFailed")
        octets = content.raw if item.folder is Folder.SENT else content.delivered
    else:
        octets = _octets(call, content)
    return call.answer(200, octets, content_type="text/plain")


async def change(call: Call) -> web.Response:
    """PATCH /messages/{id}."""
    given = await call.json()
    item = find(call)
    if isinstance(item.content, Draft):
        changed = composition(given, _editable(item.content))
        _check_size(call, changed)
        _replace(call, item, changed)
    elif given.keys() - {"isRead", "categories", "flag", "inferenceClassification"}:
        raise GraphError("ErrorInvalidPropertySet")
    return call.answer(200, _shown(call, item))


async def delete(call: Call) -> web.Response:
    """DELETE /messages/{id}: to Deleted Items, and from there for good."""
    item, mailboxes = find(call), call.cloud.mailboxes
    box = mailboxes.box(call.box)
    if item.folder is Folder.DELETED:
        box.remove(item)
    else:
        mailboxes.move(box, item, Folder.DELETED)
    return call.answer(204)


async def delete_for_good(call: Call) -> web.Response:
    """POST /messages/{id}/permanentDelete."""
    if not call.cloud.mailboxes.settings.permanent_delete:
        raise GraphError("BadRequest", "Resource not found for the segment 'permanentDelete'.")
    call.cloud.mailboxes.box(call.box).remove(find(call))
    return call.answer(204)


async def send(call: Call) -> web.Response:
    """POST /messages/{id}/send."""
    item, draft = find_draft(call)
    if fault := call.fault(ItemNotFoundOnSend):
        if fault.sent:
            submit(call, "draft", _octets(call, draft), draft=item)
        raise GraphError("ErrorItemNotFound")
    if not call.fault(DraftStuck):
        submit(call, "draft", _octets(call, draft), draft=item)
    return call.answer(202)


# --- Attachments ---------------------------------------------------------------------------------


async def attach(call: Call) -> web.Response:
    """POST /messages/{id}/attachments: one file of less than 3 MB."""
    given = await call.json()
    item, _ = find_draft(call)
    one = attachment(given)
    number = add_attachment(call, item, one)
    return call.answer(201, {"@odata.context": _context(call), **attachment_json(one, number)})


def add_attachment(call: Call, item: Item, one: Attachment) -> int:
    """Its number within the message."""
    if not isinstance(item.content, Draft):
        raise GraphError("ErrorItemNotFound")
    content = item.content.content
    changed: MimeDraft | Composition
    if isinstance(content, MimeDraft) and _habit(call) != "properties":
        changed = replace(content, files=(*content.files, one))
    else:
        changed = with_attachment(_editable(item.content), one)
    _check_size(call, changed)
    _replace(call, item, changed)
    return len(_attachments(call, item)) - 1


async def attachments(call: Call) -> web.Response:
    """GET /messages/{id}/attachments."""
    query = Query.of(call.request)
    shown = []
    for number, one in enumerate(_attachments(call, find(call))):
        every = attachment_json(one, number)
        shown.append({k: v for k, v in every.items() if not query.select or k in query.select})
    return call.answer(200, {"@odata.context": _context(call), "value": shown})


async def read_attachment(call: Call) -> web.Response:
    """GET /messages/{id}/attachments/{id}."""
    number, one = _attachment(call, find(call))
    return call.answer(200, {"@odata.context": _context(call), **attachment_json(one, number)})


async def delete_attachment(call: Call) -> web.Response:
    """DELETE /messages/{id}/attachments/{id}."""
    item, draft = find_draft(call)
    number, _ = _attachment(call, item)
    before = _editable(draft)
    kept = before.attachments[:number] + before.attachments[number + 1 :]
    _replace(call, item, replace(before, attachments=kept))
    return call.answer(204)


def _attachments(call: Call, item: Item) -> tuple[Attachment, ...]:
    content = item.content
    if not isinstance(content, Draft):
        return content.content.attachments
    if isinstance(content.content, MimeDraft):
        mime = content.content
        return (*read_content(mime.octets).attachments, *mime.files)
    return content.content.attachments


def _attachment(call: Call, item: Item) -> tuple[int, Attachment]:
    for number, one in enumerate(_attachments(call, item)):
        if attachment_id(number) == call.arguments[1]:
            return number, one
    raise GraphError("ErrorItemNotFound")


# --- Within --------------------------------------------------------------------------------------


def _editable(draft: Draft) -> Composition:
    content = draft.content
    return taken_apart(content.octets) if isinstance(content, MimeDraft) else content


def _octets(call: Call, draft: Draft) -> bytes:
    content = draft.content
    if isinstance(content, MimeDraft):
        kept = _habit(call) == "kept"
        return with_files(content.octets, content.files) if kept else content.octets
    return composed(call, draft.message_id, content)


def _habit(call: Call) -> MimeDraftFiles:
    return call.cloud.mailboxes.settings.mime_draft_files


def _replace(call: Call, item: Item, content: MimeDraft | Composition) -> None:
    message_id = item.content.message_id
    if isinstance(content, Composition):
        message_id = content.message_id or message_id
    call.cloud.mailboxes.replace_draft(
        call.box, item, Draft(content=content, message_id=message_id)
    )


def _check_size(call: Call, content: MimeDraft | Composition) -> None:
    if isinstance(content, MimeDraft):
        size = len(content.octets) + sum(len(one.content) for one in content.files)
    else:
        size = content.size
    if size > call.cloud.mailboxes.settings.message_limit:
        raise GraphError("ErrorMessageSizeExceeded")


def _shown(call: Call, item: Item, select: frozenset[str] = frozenset()) -> dict[str, Any]:
    shown = message_json(item, call.box, immutable=call.immutable_ids, select=set(select))
    return {"@odata.context": f"{METADATA}#users('{call.box.oid}')/messages/$entity", **shown}


def _context(call: Call) -> str:
    return f"{METADATA}#users('{call.box.oid}')/messages('{call.arguments[0]}')/attachments"


def _url(call: Call, item: Item) -> str:
    return (
        f"{call.cloud.graph_url}/v1.0/users('{call.box.oid}')"
        f"/messages('{item.id(call.immutable_ids)}')"
    )
