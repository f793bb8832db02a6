"""A message taken apart into what Graph's JSON can say: one body, and attachments.

Graph takes MIME up to 4 MB of base64. What is larger, or must leave no copy in Sent Items, can only
go as JSON: a body in text or HTML, and attachments. So it is taken apart here, by byte range, and
whatever that form cannot keep is written down in words, for `queue show`.

    text/plain, text/html                  the body: HTML where there is any
    multipart/related                      its parts are inline, by their content ids
    anything else, nested messages too     attachments, with their names and types

A message that is signed or encrypted is worthless in pieces. It is refused, with the reason.
"""

import mimetypes
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from graphrelay.mime import encoded_word, header, parameters
from graphrelay.mime.entity import Entity
from graphrelay.mime.header import HeaderSection
from graphrelay.mime.transfer_encoding import KNOWN_ENCODINGS, Content

LONGEST_BODY = 1_000_000
"""Octets of text that go into the body; longer ones are attached, since the body must fit into
one request."""

_SEALED = {
    "multipart/signed": "signed",
    "multipart/encrypted": "encrypted",
    "application/pkcs7-mime": "signed or encrypted (S/MIME)",
    "application/x-pkcs7-mime": "signed or encrypted (S/MIME)",
}
_NESTING = ("message/", "multipart/")
"""Types that may not be in base64 (RFC 2046 section 5.2.1), as Exchange sends files: with another
type their octets surely stay as they are."""
_BODIES = ("text/plain", "text/html")


@dataclass(frozen=True, slots=True)
class Sealed:
    """The message may not be taken apart."""

    reason: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part that goes as a file."""

    name: str
    content_type: str
    content: Content = field(repr=False)
    content_id: str = ""
    """Without angle brackets."""
    inline: bool = False


@dataclass(frozen=True, slots=True)
class Letter:
    """What Graph's JSON can say of a message's body."""

    text: str = field(repr=False)
    is_html: bool
    attachments: tuple[Attachment, ...]
    lost: tuple[str, ...]
    """What it cannot, in words."""


@dataclass(slots=True)
class _Findings:
    bodies: list[Entity] = field(default_factory=list)
    body_size: int = 0
    longest_body: int = LONGEST_BODY
    attached: list[tuple[Entity, bool]] = field(default_factory=list)
    """With whether they belong to the body (multipart/related)."""
    lost: list[str] = field(default_factory=list)


def decompose(message: Entity, longest_body: int = LONGEST_BODY) -> Letter | Sealed:
    """Take the message apart. Blocks while it counts; raises `StorageUnavailable`."""
    if reason := _sealed(message):
        return Sealed(reason)
    findings = _Findings(longest_body=longest_body)
    _sort(message, findings, related=False)
    text, is_html = _body(findings)
    attachments = tuple(
        _attachment(entity, number, related)
        for number, (entity, related) in enumerate(findings.attached, 1)
    )
    findings.lost += _lost_encodings(findings)
    findings.lost += _lost_structure(message)
    return Letter(text, is_html, attachments, tuple(dict.fromkeys(findings.lost)))


def sealed_type(section: HeaderSection) -> str | None:
    """How a message with such a header section is sealed as a whole, in words."""
    found = section.first("content-type")
    return _SEALED.get(parameters.value(section.value(found))) if found else None


def _sealed(entity: Entity) -> str | None:
    """Why the message may not be taken apart, wherever in it the reason is."""
    if kind := _SEALED.get(entity.content_type.value):
        return f"The message is {kind}: in pieces it would be worthless"
    return next(filter(None, map(_sealed, entity.children)), None)


# --- Which part is what --------------------------------------------------------------------------


def _sort(entity: Entity, findings: _Findings, *, related: bool) -> None:
    kind = entity.content_type.value
    if not entity.children:
        _sort_leaf(entity, findings, related)
    elif kind == "multipart/alternative":
        _sort_alternatives(entity, findings)
    elif kind == "multipart/related":
        root = _root(entity)
        _sort(root, findings, related=related)
        for child in entity.children:
            if child is not root:
                _sort(child, findings, related=True)
    else:
        for child in entity.children:
            _sort(child, findings, related=related)


def _sort_leaf(entity: Entity, findings: _Findings, related: bool) -> None:
    kind = entity.content_type.value
    named = _given_name(entity) or entity.disposition.value == "attachment"
    is_text = kind in _BODIES or kind.startswith("multipart/")
    first = not findings.bodies
    continued = (
        bool(findings.bodies) and kind == findings.bodies[0].content_type.value == "text/plain"
    )
    fits = entity.end - entity.start + findings.body_size <= findings.longest_body
    if is_text and not named and not related and fits and (first or continued):
        findings.bodies.append(entity)
        findings.body_size += entity.end - entity.start
    else:
        if is_text and not named and not fits:
            findings.lost.append("the text is too long for a body and is attached")
        findings.attached.append((entity, related))


def _sort_alternatives(entity: Entity, findings: _Findings) -> None:
    """HTML if there is any, else the first text; the other texts say the same in less."""
    shown = next(filter(_has_html, reversed(entity.children)), None)
    shown = shown or next((one for one in entity.children if _leaf_type(one) in _BODIES), None)
    for child in entity.children:
        if child is shown:
            _sort(child, findings, related=False)
        elif _leaf_type(child) in _BODIES:
            findings.lost.append(f"the alternative in {_leaf_type(child)}")
        else:
            if _leaf_type(child) == "text/calendar":
                findings.lost.append("the invitation is an attachment, not a meeting request")
            _sort(child, findings, related=False)


def _has_html(entity: Entity) -> bool:
    if entity.content_type.value == "text/html" and not entity.children:
        return entity.disposition.value != "attachment"
    return any(map(_has_html, entity.children))


def _leaf_type(entity: Entity) -> str:
    return "" if entity.children else entity.content_type.value


def _root(related: Entity) -> Entity:
    """The part that the others belong to (RFC 2387 section 3.2)."""
    start = related.content_type.parameters.get("start", "").strip("<>")
    named = (child for child in related.children if start and _content_id(child) == start)
    return next(named, related.children[0])


# --- The body ------------------------------------------------------------------------------------


def _body(findings: _Findings) -> tuple[str, bool]:
    texts = [_text(entity) for entity in findings.bodies]
    is_html = bool(findings.bodies) and findings.bodies[0].content_type.value == "text/html"
    return "\r\n".join(texts), is_html


def _text(entity: Entity) -> str:
    kind = entity.content_type
    octets = entity.content.beginning(LONGEST_BODY)
    text = encoded_word.text(octets, kind.parameters.get("charset", ""))
    if kind.value == "text/plain" and kind.parameters.get("format", "").lower() == "flowed":
        text = _unflowed(text, kind.parameters.get("delsp", "").lower() == "yes")
    return text


_FLOWED_LINE = re.compile(r"(>*)( ?)(.*)")


def _unflowed(text: str, delsp: bool) -> str:
    """Paragraphs on one line each (RFC 3676 section 4.1)."""
    lines: list[list[str]] = []
    open_quote: str | None = None
    for raw in text.split("\r\n"):
        quote, _, content = _FLOWED_LINE.fullmatch(raw.replace("\n", " ")).groups()  # type: ignore[union-attr]
        flows = content.endswith(" ") and content != "-- "
        joined = content[:-1] if flows and delsp else content
        if open_quote == quote and content != "-- ":
            lines[-1].append(joined)
        else:
            lines.append([f"{quote} " if quote else "", joined])
        open_quote = quote if flows else None
    return "\r\n".join(map("".join, lines))


# --- Attachments ---------------------------------------------------------------------------------


def _attachment(entity: Entity, number: int, related: bool) -> Attachment:
    content_id = _content_id(entity)
    inline = bool(content_id) and (related or entity.disposition.value == "inline")
    kind = entity.content_type.value
    return Attachment(
        name=_name(entity, number),
        content_type="application/octet-stream" if kind.startswith(_NESTING) else kind,
        content=entity.content,
        content_id=content_id,
        inline=inline,
    )


def _content_id(entity: Entity) -> str:
    found = entity.header.first("content-id")
    value = entity.header.unfolded(found) if found else b""
    return encoded_word.undeclared(value).strip("<> ")


def _given_name(entity: Entity) -> str:
    name = entity.disposition.parameters.get("filename") or entity.content_type.parameters.get(
        "name"
    )
    return _fit_for_a_name(name or "")


def _name(entity: Entity, number: int) -> str:
    if name := _given_name(entity):
        return name
    kind = entity.content_type.value
    if kind == "message/rfc822":
        return f"{_nested_subject(entity) or f'message-{number}'}.eml"
    suffix = {"text/calendar": ".ics", "text/plain": ".txt"}.get(kind)
    return f"attachment-{number}{suffix or mimetypes.guess_extension(kind) or '.bin'}"


def _nested_subject(entity: Entity) -> str:
    section = header.read(entity.content.beginning(64 * 1024), complete=False)
    found = section.first("subject") if section else None
    decoded = encoded_word.decode(section.unfolded(found)) if section and found else ""
    return _fit_for_a_name(decoded)


def _fit_for_a_name(name: str) -> str:
    """The last part of a path, without what no file system takes, of a sane length."""
    name = re.split(r"[/\\]", name)[-1] if "/" in name or "\\" in name else name
    name = "".join(c if c.isprintable() and c not in '<>:"|?*' else "_" for c in name).strip(" .")
    if len(name) <= 200:
        return name
    stem, dot, suffix = name.rpartition(".")
    return f"{stem[:180]}.{suffix}" if dot and len(suffix) < 20 else name[:200]


_PART_FIELDS = frozenset(
    {
        "content-type",
        "content-disposition",
        "content-transfer-encoding",
        "content-id",
        "mime-version",
    }
)
"""What an attachment has a place for; its length and its checksum follow from it."""


def _lost_structure(message: Entity) -> Iterator[str]:
    """How the parts were nested, and what each said of itself."""
    if not message.children:
        return
    outline = _outline(message)
    shown = outline if len(outline) <= _LONGEST_OUTLINE else f"{outline[:_LONGEST_OUTLINE]}…"
    yield f"the order and nesting of the parts: {shown}"
    names = {
        one.name: None
        for part in _parts(message)
        for one in part.header.find("*")
        if one.name not in _PART_FIELDS
    }
    yield from (f"the field {name} of a part" for name in list(names)[:_MOST_NAMES])


_LONGEST_OUTLINE = 300
_MOST_NAMES = 20


def _outline(entity: Entity) -> str:
    inside = ", ".join(map(_outline, entity.children))
    kind = entity.content_type.value
    return f"{kind} ({inside})" if inside else kind


def _parts(entity: Entity) -> Iterator[Entity]:
    for child in entity.children:
        yield child
        yield from _parts(child)


def _lost_encodings(findings: _Findings) -> Iterator[str]:
    for entity in (*findings.bodies, *(entity for entity, _ in findings.attached)):
        if entity.encoding not in KNOWN_ENCODINGS:
            yield f"the transfer encoding {entity.encoding[:40]!r} is not known; left as it is"
