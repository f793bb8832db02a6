"""Takes a message apart into what Graph's JSON can represent: one body, and attachments.

Graph takes MIME up to 4 MB of base64. A larger message, or one that must leave no copy in Sent
Items, can only go as JSON: a body in text or HTML, and attachments. So it is taken apart here, by
byte range, and what JSON cannot represent is described in words, for `queue show`.

    text/plain, text/html       the body, all of them in order; HTML as soon as one of them is HTML
    what the HTML shows by cid  inline
    any other file or message   attachments, with their names and types

Of alternatives, the last HTML that is not empty is shown, else the first text that is not empty;
the other texts are omitted, and `lost` names them. A file among them is attached.

A signed or encrypted message would be destroyed. It is refused, with the reason.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from graphrelay.mime import encoded_word, parameters
from graphrelay.mime import text as legible
from graphrelay.mime.entity import Entity
from graphrelay.mime.header import HeaderSection
from graphrelay.mime.transfer_encoding import KNOWN_ENCODINGS
from graphrelay.relay.outgoing import html_body
from graphrelay.relay.outgoing.attachment import Attachment, attachment, content_id, given_name

LONGEST_BODY = 1_000_000
"""The limit in octets for text in the body; a longer text is attached, since the body must fit into
one request."""

_SEALED = {
    "multipart/signed": "signed",
    "multipart/encrypted": "encrypted",
    "application/pkcs7-mime": "signed or encrypted (S/MIME)",
    "application/x-pkcs7-mime": "signed or encrypted (S/MIME)",
}
_BODIES = ("text/plain", "text/html")
_PREVIEW = 64 * 1024
"""Up to this many octets, HTML is checked for being empty; longer documents are assumed not to
be.
"""


@dataclass(frozen=True, slots=True)
class Sealed:
    """The message must not be taken apart."""

    reason: str


@dataclass(frozen=True, slots=True)
class MessageBody:
    """The part of a message's content that Graph's JSON can represent."""

    text: str = field(repr=False)
    is_html: bool
    attachments: tuple[Attachment, ...]
    lost: tuple[str, ...]
    """What it cannot represent, in words."""
    invites: bool = False
    """Whether Exchange would create a meeting request from it if it were sent as MIME."""


@dataclass(frozen=True, slots=True)
class _Place:
    """The position of a part."""

    related: bool = False
    """Beside the root of a multipart/related: it belongs to the body."""
    shown: bool = True
    """Not in an alternative in whose place another one is shown."""
    a_name_makes_a_file: bool = True
    """Whether a text that has a name only in Content-Type is a file: not if it is the whole message
    or an alternative."""
    alone: bool = False
    """Whether it is the whole message, or the best of alternatives: then not even a file name makes
    a file of a text."""


@dataclass(slots=True)
class _Findings:
    bodies: list[Entity] = field(default_factory=list)
    body_size: int = 0
    longest_body: int = LONGEST_BODY
    files: list[Entity] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    sealed: list[Entity] = field(default_factory=list)
    """Signed or encrypted parts."""

    def fits(self, entity: Entity) -> bool:
        return entity.end - entity.start + self.body_size <= self.longest_body

    def show(self, entity: Entity) -> None:
        self.bodies.append(entity)
        self.body_size += entity.end - entity.start
        if name := given_name(entity):
            self.lost.append(f"the name {name!r} of a text that is in the body")
        kind = entity.content_type.value
        if kind.startswith("text/") and kind not in _BODIES:
            self.lost.append(f"the type {kind} of a text that is in the body")


def take_apart(message: Entity, longest_body: int = LONGEST_BODY) -> MessageBody | Sealed:
    """Take the message apart. Blocks while it counts; raises `StorageUnavailable`."""
    if reason := _sealed(message):
        return Sealed(reason)
    findings = _found(message, longest_body)
    text, is_html = _body(findings)
    attachments = _attachments(findings, text if is_html else "")
    text, replaced = legible.storable(text)
    findings.lost += [f"{replaced} control characters of the text"] if replaced else []
    findings.lost += _lost_encodings([*findings.bodies, *findings.files])
    findings.lost += _lost_structure(message, list(_parts(message)))
    invites = _invites(message)
    findings.lost += [_NO_MEETING] if invites else []
    return MessageBody(text, is_html, attachments, tuple(dict.fromkeys(findings.lost)), invites)


@dataclass(frozen=True, slots=True)
class TextsAndFiles:
    """Which parts of a message are files, where its texts stay as they are."""

    files: tuple[Entity, ...]
    sealed: tuple[Entity, ...]
    """Signed or encrypted parts; they are no files, and nothing in them is."""
    attachments: tuple[Attachment, ...]
    """The files, in the same order."""
    lost: tuple[str, ...]
    """What the files lose, in words."""


def texts_and_files(message: Entity) -> TextsAndFiles:
    """Tell the files of a message from its texts. Blocks; raises `StorageUnavailable`."""
    findings = _found(message, LONGEST_BODY)
    text, is_html = _body(findings)
    attachments = _attachments(findings, text if is_html else "")
    lost = [*_lost_encodings(findings.files), *_lost_structure(message, findings.files)]
    lost += [_NO_MEETING] if _invites(message) else []
    return TextsAndFiles(
        tuple(findings.files), tuple(findings.sealed), attachments, tuple(dict.fromkeys(lost))
    )


def _found(message: Entity, longest_body: int) -> _Findings:
    findings = _Findings(longest_body=longest_body)
    _sort(message, findings, _Place(a_name_makes_a_file=False, alone=not message.children))
    _take_a_text_for_the_body(findings)
    return findings


def _attachments(findings: _Findings, html: str) -> tuple[Attachment, ...]:
    shown = html_body.content_ids(html)
    return tuple(
        attachment(entity, number, shown) for number, entity in enumerate(findings.files, 1)
    )


def sealed_type(section: HeaderSection) -> str | None:
    """How the whole message with that header section is signed or encrypted, in words."""
    found = section.first("content-type")
    return _SEALED.get(parameters.value(section.value(found))) if found else None


def _sealed(entity: Entity) -> str | None:
    """Why the message must not be taken apart, if it or one of its parts is sealed."""
    if kind := _SEALED.get(entity.content_type.value):
        return f"The message is {kind}: in pieces it would be useless"
    return next(filter(None, map(_sealed, entity.children)), None)


_NO_MEETING = "the invitation is an attachment, not a meeting request"


def _invites(entity: Entity) -> bool:
    """Whether a part is an invitation for programs (iMIP, RFC 6047 section 2.4)."""
    if entity.children:
        return any(map(_invites, entity.children))
    kind = entity.content_type
    return (
        kind.value == "text/calendar"
        and "method" in kind.parameters
        and entity.disposition.value != "attachment"
    )


# --- The roles of parts --------------------------------------------------------------------------


def _sort(entity: Entity, findings: _Findings, place: _Place) -> None:
    kind = entity.content_type.value
    if kind in _SEALED:
        findings.sealed.append(entity)
        return
    if not entity.children:
        _sort_leaf(entity, findings, place)
        return
    place = replace(place, a_name_makes_a_file=True, alone=False)
    if kind == "multipart/alternative":
        _sort_alternatives(entity, findings, place)
        return
    root = _root(entity) if kind == "multipart/related" else None
    for child in _first(root, entity.children):
        beside = root is not None and child is not root
        _sort(child, findings, replace(place, related=True) if beside else place)


def _first(root: Entity | None, children: tuple[Entity, ...]) -> list[Entity]:
    """The root before its related parts, wherever it is."""
    return [*([root] if root else []), *(child for child in children if child is not root)]


def _sort_leaf(entity: Entity, findings: _Findings, place: _Place) -> None:
    kind = entity.content_type.value
    is_text = kind in _BODIES or kind.startswith("multipart/") or _is_plain(entity, place)
    if not is_text or _is_a_file(entity, place) or place.related:
        findings.files.append(entity)
    elif not place.shown:
        findings.lost.append(f"the alternative in {kind}")
    elif findings.fits(entity):
        findings.show(entity)
    else:
        findings.lost.append("the text is too long for a body and is attached")
        findings.files.append(entity)


def _is_plain(entity: Entity, place: _Place) -> bool:
    """Whether a text of another type, such as text/markdown, is all that the message says."""
    kind = entity.content_type.value
    is_text = kind.startswith("text/") and kind != "text/calendar"
    return is_text and place.alone and not given_name(entity)


def _is_a_file(entity: Entity, place: _Place) -> bool:
    disposition = entity.disposition
    if disposition.value == "attachment":
        return True
    if place.alone:
        return False
    named = bool(given_name(entity))
    return named and (place.a_name_makes_a_file or "filename" in disposition.parameters)


def _sort_alternatives(entity: Entity, findings: _Findings, place: _Place) -> None:
    shown = _best(entity.children)
    for child in entity.children:
        kind = _leaf_type(child)
        best = child is shown
        here = replace(place, shown=place.shown and best, a_name_makes_a_file=False, alone=best)
        if best or not kind.startswith("text/") or _is_a_file(child, here):
            _sort(child, findings, here)
        elif kind == "text/calendar":
            findings.lost.append(_NO_MEETING)
            findings.files.append(child)
        else:
            findings.lost.append(f"the alternative in {kind}")


def _best(alternatives: tuple[Entity, ...]) -> Entity | None:
    """The last HTML that is not empty, else the first text that is not, else any of them."""
    html = [one for one in alternatives if any(_texts(one, "text/html"))]
    plain = [one for one in alternatives if any(_texts(one, "text/plain"))]
    telling = [one for one in reversed(html) if not all(map(_blank, _texts(one, "text/html")))]
    telling += [one for one in plain if not all(map(_blank, _texts(one, "text/plain")))]
    return next(iter([*telling, *reversed(html), *plain]), None)


def _texts(entity: Entity, kind: str) -> Iterator[Entity]:
    """The leaves of that type that are not files."""
    if entity.children:
        for child in entity.children:
            yield from _texts(child, kind)
    elif entity.content_type.value == kind and entity.disposition.value != "attachment":
        yield entity


def _blank(entity: Entity) -> bool:
    if entity.end - entity.start > _PREVIEW:
        return False
    text = _text(entity)
    if entity.content_type.value == "text/html":
        return html_body.says_nothing(text)
    return not text.strip()


def _leaf_type(entity: Entity) -> str:
    return "" if entity.children else entity.content_type.value


def _root(related: Entity) -> Entity:
    """The part that the others belong to (RFC 2387 section 3.2)."""
    start = related.content_type.parameters.get("start", "").strip("<>")
    named = (child for child in related.children if start and content_id(child) == start)
    return next(named, related.children[0])


def _take_a_text_for_the_body(findings: _Findings) -> None:
    """If no body was found, use the first text that is a file only because of its name."""
    if findings.bodies:
        return
    for entity in findings.files:
        is_text = entity.content_type.value in _BODIES
        attached = entity.disposition.value == "attachment"
        if is_text and not attached and findings.fits(entity):
            findings.files.remove(entity)
            findings.show(entity)
            return


# --- The body ------------------------------------------------------------------------------------


def _body(findings: _Findings) -> tuple[str, bool]:
    """All texts in order, and whether that is HTML."""
    texts = [_text(entity) for entity in findings.bodies]
    kinds = [entity.content_type.value for entity in findings.bodies]
    if "text/html" not in kinds:
        return "\r\n".join(texts), False
    pieces = [
        text if kind == "text/html" else html_body.of_plain(text)
        for text, kind in zip(texts, kinds, strict=True)
    ]
    return html_body.joined(pieces, kinds.index("text/html")), True


def _text(entity: Entity) -> str:
    kind = entity.content_type
    octets = entity.content.beginning(LONGEST_BODY)
    charset = kind.parameters.get("charset", "")
    if kind.value == "text/html":
        charset = charset or html_body.declared_charset(octets)
    text = encoded_word.text(octets, charset).removeprefix("\ufeff")
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


# --- Losses --------------------------------------------------------------------------------------


_PART_FIELDS = frozenset(
    {
        "content-type",
        "content-disposition",
        "content-transfer-encoding",
        "content-id",
        "mime-version",
    }
)
"""Fields that an attachment represents."""


def _lost_structure(message: Entity, parts: list[Entity]) -> Iterator[str]:
    """How the parts were nested, and the fields of those that are given."""
    if not message.children:
        return
    outline = _outline(message)
    shown = outline if len(outline) <= _LONGEST_OUTLINE else f"{outline[:_LONGEST_OUTLINE]}…"
    yield f"the order and nesting of the parts: {shown}"
    names = {
        one.name: None
        for part in parts
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


def _lost_encodings(parts: list[Entity]) -> Iterator[str]:
    for entity in parts:
        if entity.encoding not in KNOWN_ENCODINGS:
            name = entity.encoding[:40]
            yield f"the transfer encoding {name!r} is unknown; the part is left as it is"
