"""The `message` resource from JSON, strictly.

Unknown properties and wrong shapes are refused as OData does, because a misspelled one would
otherwise be lost silently.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar, cast

from graphrelay.sandbox.graph.errors import GraphError
from graphrelay.sandbox.mime import Attachment, Person
from graphrelay.sandbox.mime_compose import Composition, Importance

T = TypeVar("T")
MOST_HEADERS = 5


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
