"""The `message` resource: from JSON, strictly, and to JSON.

Unknown properties and wrong shapes are refused as OData does, because a relay that misspells one
would otherwise lose it in silence.
"""

import base64
import binascii
import html
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar, cast

from graphrelay.sandbox.directory import User
from graphrelay.sandbox.graph.errors import GraphError
from graphrelay.sandbox.mailbox_items import BodyNotKept, Draft, Folder, Item, Mail, MimeDraft
from graphrelay.sandbox.mime import Attachment, Person
from graphrelay.sandbox.mime_compose import Composition, Importance, taken_apart

T = TypeVar("T")
MOST_HEADERS = 5

# --- From JSON -----------------------------------------------------------------------------------


def composition(value: Mapping[str, Any], start: Composition | None = None) -> Composition:
    """The message that `value` describes, or `start` changed by it."""
    changes: dict[str, Any] = {}
    for name, given in value.items():
        if name in _IGNORED or name.startswith("@odata."):
            continue
        reader = _READERS.get(name)
        if reader is None:
            raise GraphError(
                "RequestBodyRead",
                f"The property '{name}' does not exist on type 'microsoft.graph.message'. Make "
                "sure to only use property names that are defined by the type or mark the type "
                "as open type.",
            )
        changes |= reader(given)
    return replace(start or Composition(), **changes)


def attachment(value: object) -> Attachment:
    """A `fileAttachment`."""
    given = _object(value)
    kind = given.get("@odata.type")
    if kind in ("#microsoft.graph.itemAttachment", "#microsoft.graph.referenceAttachment"):
        raise GraphError("NotImplemented", f"The sandbox takes no {kind}.")
    if kind != "#microsoft.graph.fileAttachment":
        raise GraphError("UnableToDeserializePostBody")
    _only(given, _ATTACHMENT, "fileAttachment")
    name = _text(given.get("name"))
    if not name:
        raise GraphError("ErrorInvalidPropertySet", "The required property 'name' is missing.")
    return Attachment(
        name=name,
        content_type=_text(given.get("contentType")) or "application/octet-stream",
        content=_octets(given.get("contentBytes", "")),
        content_id=_text(given.get("contentId")).strip("<>"),
        inline=_boolean(given.get("isInline", False)),
    )


_ATTACHMENT = {"name", "contentType", "contentBytes", "contentId", "isInline", "size",
               "contentLocation", "id", "lastModifiedDateTime"}  # fmt: skip


def boolean(value: object) -> bool:
    """true, false, or the strings that Microsoft's own examples use."""
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    return _boolean(value)


def _only(given: Mapping[str, Any], known: set[str], type_name: str) -> None:
    for name in given:
        if name not in known and not name.startswith("@odata."):
            raise GraphError(
                "RequestBodyRead",
                f"The property '{name}' does not exist on type 'microsoft.graph.{type_name}'. "
                "Make sure to only use property names that are defined by the type or mark the "
                "type as open type.",
            )


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise GraphError("UnableToDeserializePostBody")
    return value


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise GraphError("UnableToDeserializePostBody")
    return value


def _text(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise GraphError("UnableToDeserializePostBody")
    return value


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise GraphError("UnableToDeserializePostBody")
    return value


def _octets(value: object) -> bytes:
    text = _text(value)
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as problem:
        raise GraphError(
            "RequestBodyRead",
            f"Cannot convert the literal '{text[:40]}' to the expected type 'Edm.Binary'.",
        ) from problem


def _recipient(value: object) -> Person:
    given = _object(value)
    _only(given, {"emailAddress"}, "recipient")
    address = _object(given.get("emailAddress"))
    _only(address, {"address", "name"}, "emailAddress")
    return Person(_text(address.get("name")), _text(address.get("address")))


def _recipients(value: object) -> tuple[Person, ...]:
    return tuple(map(_recipient, _list(value)))


def _body(value: object) -> dict[str, Any]:
    given = _object(value)
    _only(given, {"contentType", "content"}, "itemBody")
    kind = _text(given.get("contentType", "text")).lower()
    if kind not in ("text", "html"):
        raise GraphError("RequestBodyRead", f"Requested value '{kind}' was not found.")
    return {"body": _text(given.get("content")), "is_html": kind == "html"}


def _importance(value: object) -> dict[str, Any]:
    given = _text(value).lower()
    if given not in ("low", "normal", "high"):
        raise GraphError("RequestBodyRead", f"Requested value '{given}' was not found.")
    return {"importance": cast(Importance, given)}


def _headers(value: object) -> dict[str, Any]:
    """At most five, at least one, and each named `x-…`."""
    given = [_object(one) for one in _list(value)]
    if not 0 < len(given) <= MOST_HEADERS:
        raise GraphError("InvalidInternetMessageHeaderCollection")
    headers = [(_text(one.get("name")), _text(one.get("value"))) for one in given]
    for name, _ in headers:
        if not name.lower().startswith("x-"):
            raise GraphError(
                "InvalidInternetMessageHeader",
                f"The internet message header name '{name}' should start with 'x-' or 'X-'.",
            )
    return {"headers": tuple(headers)}


_PROPERTY_ID = re.compile(r"(\w+) (0x[0-9A-Fa-f]+|\{[0-9A-Fa-f-]+\} (?:Name|Id) .+)\Z")


def _properties(value: object) -> dict[str, Any]:
    """MAPI properties; Graph shows tags without leading zeros."""
    properties = []
    for one in map(_object, _list(value)):
        found = _PROPERTY_ID.match(_text(one.get("id")))
        if found is None:
            raise GraphError("ErrorInvalidPropertySet", "The extended property's id is invalid.")
        tag = found[2]
        shown = f"0x{int(tag, 16):x}" if tag.startswith("0x") else tag
        properties.append((f"{found[1]} {shown}", _text(one.get("value"))))
    return {"properties": tuple(properties)}


def _sender(value: object) -> dict[str, Any]:
    return {"sender": None if value is None else _recipient(value)}


def _attachments(value: object) -> dict[str, Any]:
    return {"attachments": tuple(map(attachment, _list(value)))}


def _as(name: str, reader: Callable[[object], T]) -> Callable[[object], dict[str, Any]]:
    return lambda value: {name: reader(value)}


_READERS: dict[str, Callable[[object], dict[str, Any]]] = {
    "subject": _as("subject", _text),
    "body": _body,
    "from": _sender,
    "toRecipients": _as("to", _recipients),
    "ccRecipients": _as("cc", _recipients),
    "bccRecipients": _as("bcc", _recipients),
    "replyTo": _as("reply_to", _recipients),
    "importance": _importance,
    "internetMessageId": _as("message_id", _text),
    "internetMessageHeaders": _headers,
    "singleValueExtendedProperties": _properties,
    "isReadReceiptRequested": _as("read_receipt", _boolean),
    "isDeliveryReceiptRequested": _as("delivery_receipt", _boolean),
    "attachments": _attachments,
}
_IGNORED = {"sender", "categories", "flag", "isRead", "inferenceClassification", "hasAttachments",
            "bodyPreview", "conversationId", "multiValueExtendedProperties"}  # fmt: skip

# --- To JSON -------------------------------------------------------------------------------------


def message_json(item: Item, box: User, *, immutable: bool, select: set[str]) -> dict[str, Any]:
    """The resource as JSON; only the selected properties where any are named."""
    view = _View(item, box, immutable)
    wanted = [name for name in _PROPERTIES if name in select] if select else list(_PROPERTIES)
    shown = {name: _PROPERTIES[name](view) for name in dict.fromkeys(["id", *wanted])}
    return {"@odata.etag": f'W/"{view.change_key}"', **shown}


def known_property(name: str) -> bool:
    return name in _PROPERTIES


def attachment_json(one: Attachment, number: int, *, with_content: bool = True) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "@odata.type": "#microsoft.graph.fileAttachment",
        "@odata.mediaContentType": one.content_type,
        "id": attachment_id(number),
        "name": one.name,
        "contentType": one.content_type,
        "size": len(one.content),
        "isInline": one.inline,
        "contentId": one.content_id or None,
        "contentLocation": None,
    }
    if with_content:
        shown["contentBytes"] = base64.b64encode(one.content).decode()
    return shown


def attachment_id(number: int) -> str:
    return f"AAMkAttachment{number:08d}="


def time_json(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


class _View:
    """An item seen as properties, whatever it holds."""

    def __init__(self, item: Item, box: User, immutable: bool) -> None:
        self.item, self.box, self.immutable = item, box, immutable
        self.seems_draft = isinstance(item.content, Draft) or item.seems_draft_for > 0

    @property
    def change_key(self) -> str:
        moment = int(self.item.modified_at.timestamp() * 1000)
        return f"CQAAABYAAA{self.item.serial:x}x{moment:x}"

    @property
    def folder(self) -> Folder:
        return Folder.DRAFTS if self.item.seems_draft_for else self.item.folder

    @cached_property
    def composition(self) -> Composition:
        """Read from the octets where only those are there."""
        content = self.item.content
        if isinstance(content, Mail):
            return _of_mail(content, self.item.folder)
        if isinstance(content.content, MimeDraft):
            return taken_apart(content.content.octets)
        return content.content

    def sender(self) -> dict[str, Any]:
        person = self.composition.sender
        return _person_json(person or Person(self.box.display_name, self.box.primary_address))

    def body(self) -> dict[str, str]:
        read = self.composition
        return {"contentType": "html" if read.is_html else "text", "content": read.body}

    def preview(self) -> str:
        read = self.composition
        text = html.unescape(re.sub(r"<[^>]*>", " ", read.body)) if read.is_html else read.body
        return " ".join(text.split())[:255]

    def delivery_receipt(self) -> bool | None:
        """`null` for a MIME draft, as in the documents' sample."""
        content = self.item.content
        if isinstance(content, Draft) and isinstance(content.content, MimeDraft):
            return None
        return self.composition.delivery_receipt

    def people(self, which: str) -> list[dict[str, Any]]:
        return [_person_json(person) for person in getattr(self.composition, which)]


def _of_mail(mail: Mail, folder: Folder) -> Composition:
    try:
        read = taken_apart(mail.delivered)
    except BodyNotKept:
        read = Composition(subject=mail.subject, to=mail.head.to, cc=mail.head.cc)
    # The sender's own copy still shows whom the blind copies went to.
    return replace(read, bcc=mail.head.bcc) if folder is Folder.SENT else read


def _person_json(person: Person) -> dict[str, Any]:
    return {"emailAddress": {"name": person.name or person.address, "address": person.address}}


_PROPERTIES: dict[str, Callable[[_View], Any]] = {
    "id": lambda view: view.item.id(view.immutable),
    "createdDateTime": lambda view: time_json(view.item.created_at),
    "lastModifiedDateTime": lambda view: time_json(view.item.modified_at),
    "changeKey": lambda view: view.change_key,
    "categories": lambda view: [],
    "receivedDateTime": lambda view: time_json(view.item.created_at),
    "sentDateTime": lambda view: time_json(view.item.created_at),
    "hasAttachments": lambda view: bool(view.composition.attachments),
    "internetMessageId": lambda view: view.item.content.message_id,
    "subject": lambda view: view.composition.subject,
    "bodyPreview": _View.preview,
    "importance": lambda view: view.composition.importance,
    "parentFolderId": lambda view: folder_id(view.folder),
    "conversationId": lambda view: f"AAQkSandbox{view.item.serial:08d}",
    "conversationIndex": lambda view: "AQHSandbox",
    "isDeliveryReceiptRequested": _View.delivery_receipt,
    "isReadReceiptRequested": lambda view: view.composition.read_receipt,
    "isRead": lambda view: view.folder is not Folder.INBOX,
    "isDraft": lambda view: view.seems_draft,
    "webLink": lambda view: f"https://outlook.office365.com/owa/?ItemID={view.item.id(False)}",
    "inferenceClassification": lambda view: "focused",
    "body": _View.body,
    "sender": _View.sender,
    "from": _View.sender,
    "toRecipients": lambda view: view.people("to"),
    "ccRecipients": lambda view: view.people("cc"),
    "bccRecipients": lambda view: view.people("bcc"),
    "replyTo": lambda view: view.people("reply_to"),
    "flag": lambda view: {"flagStatus": "notFlagged"},
}


def folder_id(folder: Folder) -> str:
    return f"AQMkSandboxFolder{folder.name}="
