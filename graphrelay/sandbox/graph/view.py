"""The `message` resource and its attachments as JSON, with the ids that the caller prefers."""

import base64
import html
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Any

from graphrelay.sandbox.directory import User
from graphrelay.sandbox.mailbox_items import BodyNotKept, Draft, Folder, Item, Mail, MimeDraft
from graphrelay.sandbox.mime import Attachment, Person
from graphrelay.sandbox.mime_compose import Composition, taken_apart


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
    """An item as properties, whatever its form."""

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
        """Read from the octets if there is nothing else."""
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
        primary = self.item.primary
        return [
            _person_json(Person(one.name, primary.get(one.address.casefold(), one.address)))
            for one in getattr(self.composition, which)
        ]


def _of_mail(mail: Mail, folder: Folder) -> Composition:
    try:
        read = taken_apart(mail.delivered)
    except BodyNotKept:
        read = Composition(subject=mail.subject, to=mail.head.to, cc=mail.head.cc)
    # The sender's own copy still shows the Bcc recipients.
    return replace(read, bcc=mail.head.bcc) if folder is Folder.SENT else read


def _person_json(person: Person) -> dict[str, Any]:
    return {"emailAddress": {"name": person.name or person.address, "address": person.address}}


_CONVERSATION_INDEX = base64.b64encode(b"\x01" + b"sandbox" * 3).decode()
"""22 octets (PidTagConversationIndex), in base64 as all of Edm.Binary."""
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
    "conversationIndex": lambda view: _CONVERSATION_INDEX,
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
