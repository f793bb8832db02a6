"""The parts of a message by byte range (RFC 2046): where each begins and ends, without decoding.

    message ── header section, body ──▶ Entity ── children ──▶ Entity …

Octets are read in pieces to find the boundaries, so the size of a message does not matter.
Malformed messages are read as mail programs read them: a part without its last boundary ends with
the part around it; a multipart in which no boundary is found is text.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from graphrelay.mime import header, parameters
from graphrelay.mime.header import HeaderSection
from graphrelay.mime.parameters import Parametrized
from graphrelay.mime.transfer_encoding import Content
from graphrelay.model import Body

MOST_PARTS = 1_000
DEEPEST = 30
_PIECE = 1 << 20
_HEADER = 64 * 1024
_LONGEST_BOUNDARY = 200
_LONGEST_TAIL = 70


class TooTangled(Exception):  # noqa: N818 (a condition, not a programming error)
    """More parts, or deeper nesting, than any mail program writes."""


@dataclass(frozen=True)
class Entity:
    """A message or a part of one."""

    header: HeaderSection
    octets: Body
    start: int
    """The offset of its body."""
    end: int
    children: tuple["Entity", ...] = ()
    default_type: str = "text/plain"
    """The type if none is declared: in a digest, a message (RFC 2046 section 5.1.5)."""

    def parametrized(self, name: str) -> Parametrized:
        found = self.header.first(name)
        return parameters.read(self.header.value(found)) if found else Parametrized("")

    @cached_property
    def content_type(self) -> Parametrized:
        found = self.parametrized("content-type")
        return found if found.value.count("/") == 1 else Parametrized(self.default_type)

    @cached_property
    def disposition(self) -> Parametrized:
        return self.parametrized("content-disposition")

    @cached_property
    def encoding(self) -> str:
        return self.parametrized("content-transfer-encoding").value

    @property
    def content(self) -> Content:
        return Content(self.octets, self.start, self.end, self.encoding)


@dataclass(slots=True)
class _Count:
    parts: int = 0


def read(section: HeaderSection, octets: Body, start: int, end: int) -> Entity:
    """The message whose body is `octets[start:end]`. Raises `TooTangled`, `StorageUnavailable`."""
    return _entity(Entity(section, octets, start, end), 0, _Count())


def _entity(whole: Entity, depth: int, count: _Count) -> Entity:
    count.parts += 1
    if count.parts > MOST_PARTS or depth > DEEPEST:
        raise TooTangled
    kind = whole.content_type
    boundary = kind.parameters.get("boundary", "")[:_LONGEST_BOUNDARY]
    if not kind.value.startswith("multipart/") or not boundary:
        return whole
    default_type = "message/rfc822" if kind.value == "multipart/digest" else "text/plain"
    delimiter = boundary.encode("latin-1", "replace")
    children = tuple(
        _entity(_part(whole.octets, start, end, default_type), depth + 1, count)
        for start, end in _ranges(whole.octets, whole.start, whole.end, delimiter)
    )
    return replace(whole, children=children)


def _part(octets: Body, start: int, end: int, default_type: str) -> Entity:
    beginning = octets.read(start, min(start + _HEADER, end))
    section = header.read(beginning, complete=len(beginning) == end - start)
    if section is None:
        raise TooTangled
    return Entity(section, octets, start + section.body_start, end, default_type=default_type)


def _ranges(octets: Body, start: int, end: int, boundary: bytes) -> Iterator[tuple[int, int]]:
    """Where each part begins and ends; the text before the first and after the last is not a
    part.
    """
    begun: int | None = None
    for line_start, line_end, closing in _delimiters(octets, start, end, boundary):
        if begun is not None:
            yield begun, max(begun, line_start)
        begun = None if closing else line_end
        if closing:
            return
    if begun is not None:
        yield begun, end


def _delimiters(
    octets: Body, start: int, end: int, boundary: bytes
) -> Iterator[tuple[int, int, bool]]:
    """Boundary lines: where each begins (with the line end before it) and ends, and whether it is
    the last one."""
    dashed = b"--" + boundary
    line = re.compile(rb"\n" + re.escape(dashed) + rb"(--)?(?=([ \t]{0,64}(?:\r?\n|\Z)))")
    around = len(dashed) + _LONGEST_TAIL
    for at in range(start, end, _PIECE):
        # Includes the line end before the first boundary line; at the start, one is assumed.
        before = at - 1
        piece = octets.read(max(before, start), min(at + _PIECE + around, end))
        piece = b"\n" + piece if at == start else piece
        for found in line.finditer(piece):
            line_end = before + found.start()
            if line_end >= at + _PIECE:
                break
            if line_end >= at or at == start:
                has_return = piece[max(0, found.start() - 1) : found.start()] == b"\r"
                line_start = max(start, line_end - has_return)
                yield line_start, before + found.end(2), bool(found[1])
