"""A part of a message as a file: its name, type and content id."""

import mimetypes
import re
from dataclasses import dataclass, field

from graphrelay.mime import encoded_word, header
from graphrelay.mime.entity import Entity
from graphrelay.mime.transfer_encoding import Content
from graphrelay.model import without_controls
from graphrelay.relay.outgoing import charset

_NESTING = ("message/", "multipart/")
"""Types that may not be in base64 (RFC 2046 section 5.2.1), in which Exchange sends files. With
another type, their octets stay unchanged."""
_SUFFIXES = {"text/calendar": ".ics", "text/plain": ".txt"}
_LONGEST_NAME = 200
_UNFIT = re.compile(r'[<>:"|?*]')


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part that is sent as a file."""

    name: str
    content_type: str
    content: Content = field(repr=False)
    content_id: str = ""
    """Without angle brackets."""
    inline: bool = False
    """Whether the HTML shows it; Outlook does not list such a file."""


def attachment(entity: Entity, number: int, shown: frozenset[str]) -> Attachment:
    """The part as a file, the `number`th of its message; `shown` are the content ids that the HTML
    names. Blocks while reading the subject of a nested message."""
    identity = content_id(entity)
    kind = entity.content_type.value
    return Attachment(
        name=_name(entity, number),
        content_type="application/octet-stream" if kind.startswith(_NESTING) else kind,
        content=entity.content,
        content_id=identity,
        inline=identity in shown,
    )


def given_name(entity: Entity) -> str:
    """The file name declared by the part, fit for a file system; empty if there is none."""
    name = entity.disposition.parameters.get("filename") or entity.content_type.parameters.get(
        "name"
    )
    return _fit_for_a_name(name or "")


def content_id(entity: Entity) -> str:
    """Without angle brackets; empty if it has none."""
    found = entity.header.first("content-id")
    value = entity.header.unfolded(found) if found else b""
    return encoded_word.undeclared(value).strip("<> ")


def _name(entity: Entity, number: int) -> str:
    if name := given_name(entity):
        return name
    kind = entity.content_type.value
    if kind == "message/rfc822":
        return f"{_nested_subject(entity) or f'message-{number}'}.eml"
    suffix = _SUFFIXES.get(kind) or mimetypes.guess_extension(kind) or ".bin"
    return f"attachment-{number}{suffix}"


def _nested_subject(entity: Entity) -> str:
    section = header.read(entity.content.beginning(64 * 1024), complete=False)
    found = section.telling("subject") if section else None
    if section is None or found is None:
        return ""
    value = section.unfolded(found)
    return _fit_for_a_name(encoded_word.decode(value, charset.charset(section, value)))


def _fit_for_a_name(name: str) -> str:
    """The last component of a path, without characters that file systems reject, and of limited
    length."""
    name = re.split(r"[/\\]", name)[-1] if "/" in name or "\\" in name else name
    name = without_controls(name.replace("\t", " "), "_")
    name = _UNFIT.sub("_", name).strip(" .")
    if len(name) <= _LONGEST_NAME:
        return name
    stem, dot, suffix = name.rpartition(".")
    return f"{stem[:180]}.{suffix}" if dot and len(suffix) < 20 else name[:_LONGEST_NAME]
