"""A message in the form that the page shows: as JSON, and its HTML made harmless."""

import re
from typing import Any

from graphrelay import mail_html
from graphrelay.sandbox.mailbox_items import BodyNotKept, Mail
from graphrelay.sandbox.mime import Attachment, Content, Person, fields_of, readable

_REMOTE = re.compile(
    r"""(?:src|background|poster)\s*=\s*["']?\s*(?:https?:)?//|url\(\s*["']?\s*(?:https?:)?//""",
    re.IGNORECASE,
)


def summary(mail: Mail) -> dict[str, Any]:
    """An entry of the list."""
    return {
        "number": mail.number,
        "from": _people(mail.head.sender),
        "recipients": _people(mail.head.recipients),
        "subject": mail.subject,
        "received_at": mail.received_at.isoformat(),
        "size": mail.size,
        "mailbox": mail.mailbox,
        "via": mail.via,
        "message_id": mail.message_id,
        "has_attachments": b"multipart/mixed" in mail.submitted.head.lower(),
        "bounced": len(mail.bounced),
    }


def details(mail: Mail) -> dict[str, Any]:
    """Everything about one message but the content of its files."""
    return {
        **summary(mail),
        "to": _people(mail.head.to),
        "cc": _people(mail.head.cc),
        "bcc": _people(mail.head.bcc),
        "reply_to": _people(mail.head.reply_to),
        "date": mail.head.date,
        "received": list(mail.received),
        "bounced": [
            {"address": one.address, "status": one.status, "diagnostic": one.diagnostic}
            for one in mail.bounced
        ],
        "saved_to_sent": mail.saved_to_sent,
        "client_id": mail.client_id,
        "request_id": mail.request_id,
        "client_request_id": mail.client_request_id,
        "sha256": mail.submitted.sha256,
        "changed": mail.outgoing != mail.submitted,
        "headers": [
            [one.name, readable(one.text)] for one in fields_of(mail.submitted.head + b"\r\n\r\n")
        ],
        **_body(mail),
    }


def _body(mail: Mail) -> dict[str, Any]:
    try:
        content = mail.content
    except BodyNotKept:
        return {"kept": False, "text": "", "has_html": False, "remote": False, "attachments": []}
    return {
        "kept": True,
        "text": content.text,
        "has_html": bool(content.html),
        "remote": bool(_REMOTE.search(content.html)),
        "attachments": [
            {
                "number": number,
                "name": one.name,
                "type": one.content_type,
                "size": len(one.content),
                "inline": one.inline and _is_used(one, content),
            }
            for number, one in enumerate(content.attachments)
        ],
    }


def framed_html(content: Content) -> str:
    """The HTML for the frame."""
    images = {
        one.content_id: (one.content_type, one.content)
        for one in content.attachments
        if one.content_id
    }
    return mail_html.framed(content.html, images.get, opens_links=True)


def _is_used(one: Attachment, content: Content) -> bool:
    """An inline file that the text never shows must not be hidden from the reader."""
    return bool(one.content_id) and one.content_id in mail_html.content_ids(content.html)


def _people(people: tuple[Person, ...]) -> list[dict[str, str]]:
    return [_person(person) for person in people]


def _person(person: Person) -> dict[str, str]:
    return {"name": person.name, "address": person.address}
