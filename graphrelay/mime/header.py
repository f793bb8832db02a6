"""The header section of a message, as octets (RFC 5322 section 2.2).

    message ──▶ read ──▶ HeaderSection ──find──▶ Field ranges ──splice──▶ octets

A message is never parsed and serialized again: fields are found by byte range, and changes are
spliced in. Every other octet stays as received, whatever its charset or the length of its line.

How Exchange reads a malformed header section is not documented, and if it disagreed about where the
section ends, it could send to recipients that the relay has removed. So a malformed section is
repaired with as few changes as possible until all software sees the same fields:

- an mbox line (`From root Mon …`), a line of nothing but white space, and a byte order mark before
  the first field are removed;
- white space before a colon (RFC 5322 section 4.5) is removed;
- a line that is not a field, right before a well-known one, gets the space that folding had lost;
- any other line that is not a field begins the body, after the empty line that was missing.

If no field came before such a line, all of the message is text, from its first octet.

A message is parsed without the relay's own fields, both when it is accepted and when it is sent;
these are added to the result (`below`). Otherwise they could turn text into fields that were never
checked. Parsing takes linear time.
"""

import codecs
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from graphrelay.mime import parameters

LIMIT = 1 << 18
"""A message with a longer header section, in octets, is refused. Exchange has the same limit
(MaxHeaderSize, https://learn.microsoft.com/en-us/powershell/module/exchange/set-receiveconnector).
"""
_INDEXED = 32 * 1024
"""The fields of sections up to this many octets are indexed in memory at the first look-up."""

_WELL_FORMED = re.compile(
    rb"(?>[!-9;-~]++:[^\r\n]*+\r\n(?>[ \t]++[^ \t\r\n][^\r\n]*+\r\n)*+)*+", re.DOTALL
)
_FIELD = re.compile(rb"(?m)^([!-9;-~]+):[^\n]*+\n(?>[ \t][^\n]*+\n)*+")
_LINE_END = re.compile(rb"\r\n|\r|\n")
_FIELD_LINE = re.compile(rb"([!-9;-~]++)([ \t]*+):")
_MBOX_LINE = re.compile(rb">?From ")
_WELL_KNOWN = re.compile(
    rb"(?:from|sender|reply-to|to|cc|bcc|subject|date|message-id|in-reply-to|references|comments"
    rb"|keywords|received|return-path|mime-version|content-[!-9;-~]+|x-[!-9;-~]+|list-[!-9;-~]+"
    rb"|resent-[!-9;-~]+|dkim-signature|authentication-results|arc-[!-9;-~]+|importance|priority"
    rb"|precedence|auto-submitted|organization|user-agent|sensitivity|thread-[!-9;-~]+"
    rb"|disposition-notification-to|return-receipt-to|errors-to|delivered-to|apparently-to"
    rb"|autocrypt|feedback-id|status|lines)[ \t]*:",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Field:
    """A header field: `octets[start:end]` of its section, with its line ends."""

    name: str
    """In lower case."""
    start: int
    value_start: int
    """The offset after the colon."""
    end: int


@dataclass(frozen=True)
class HeaderSection:
    """All fields, each ending in CRLF, without the empty line that ends the section."""

    octets: bytes = field(repr=False)
    body_start: int
    """Where the body begins in the message that was read: after the empty line, if it had one."""

    def find(self, *names: str) -> Iterator[Field]:
        """The fields with one of these names (lower case; `content-*` are many), in their order."""
        if len(names) == 1 and len(self.octets) <= _INDEXED and names[0][-1] != "*":
            return map(_field, self._by_name.get(names[0].encode("ascii"), ()))
        return map(_field, _fields_named(names).finditer(self.octets))

    def first(self, name: str) -> Field | None:
        return next(self.find(name), None)

    def telling(self, name: str) -> Field | None:
        """The first field of that name with a value, which is the one that counts."""
        return next((found for found in self.find(name) if self.unfolded(found)), None)

    def value_of(self, name: str) -> bytes:
        """The value of that field, unfolded; empty if there is none."""
        for found in self.find(name):
            if value := self.unfolded(found):
                return value
        return b""

    @cached_property
    def charset(self) -> str:
        """The charset that Content-Type names, if any."""
        for found in self.find("content-type"):
            if named := parameters.read(self.value(found)).parameters.get("charset"):
                return named
        return ""

    @cached_property
    def _by_name(self) -> dict[bytes, list[re.Match[bytes]]]:
        found: dict[bytes, list[re.Match[bytes]]] = {}
        for match in _FIELD.finditer(self.octets):
            found.setdefault(match[1].lower(), []).append(match)
        return found

    def value(self, found: Field) -> bytes:
        """What follows the colon, folded as received, without the last line end."""
        return self.octets[found.value_start : found.end - 2]

    def unfolded(self, found: Field) -> bytes:
        """The value on one line (RFC 5322 section 2.2.3), without white space around it."""
        return self.value(found).replace(b"\r\n", b"").strip(b" \t")

    def line(self, found: Field) -> bytes:
        """The whole field, folded as received, with its line end."""
        return self.octets[found.start : found.end]

    def spliced(self, edits: "Edits") -> bytes:
        pieces, at = [], 0
        for found in sorted(edits.replacements, key=lambda one: one.start):
            pieces += [self.octets[at : found.start], edits.replacements[found]]
            at = found.end
        return b"".join([*pieces, self.octets[at:], edits.added])


@dataclass(frozen=True, slots=True)
class Edits:
    """What to splice into a section, in whole lines."""

    replacements: Mapping[Field, bytes] = field(default_factory=dict)
    """Fields and their replacements; an empty one removes the field."""
    added: bytes = b""
    """To add at the end of the section."""

    def __or__(self, others: "Edits") -> "Edits":
        """Both edits together; no field may be replaced by both."""
        return Edits({**self.replacements, **others.replacements}, self.added + others.added)


def _field(match: re.Match[bytes]) -> Field:
    return Field(match[1].decode("ascii").lower(), match.start(), match.end(1) + 1, match.end())


@lru_cache(maxsize=256)
def _fields_named(names: tuple[str, ...]) -> re.Pattern[bytes]:
    choice = "|".join(re.escape(name) if name[-1] != "*" else _prefixed(name) for name in names)
    lines = r":[^\n]*+\n(?>[ \t][^\n]*+\n)*+"
    return re.compile(f"(?im)^({choice}){lines}".encode("ascii"))


def _prefixed(name: str) -> str:
    return re.escape(name[:-1]) + "[!-9;-~]*"


def read(octets: bytes, *, complete: bool = True) -> HeaderSection | None:
    """The header section at the beginning of `octets`.

    `complete` says that they are the whole message. If they are only its beginning, `None` means
    that the section does not end in them. A message that does not begin with a known field has an
    empty section: all of it is text.
    """
    match = _WELL_FORMED.match(octets)
    end = match.end() if match else 0
    section: HeaderSection | None
    if octets.startswith(b"\r\n", end):
        section = HeaderSection(octets[:end], end + 2)
    elif end == len(octets):
        section = HeaderSection(octets, end) if complete else None
    else:
        section = _repaired(octets, complete)
    if section and section.octets and not _knows_a_field(section.octets):
        return HeaderSection(b"", 0)
    return section


def below(prefix: bytes, octets: bytes, *, complete: bool = True) -> HeaderSection | None:
    """What `read` finds in `octets`, below the relay's own fields in `prefix`."""
    section = read(octets, complete=complete)
    return section and HeaderSection(prefix + section.octets, section.body_start)


def _knows_a_field(octets: bytes) -> bool:
    return any(_WELL_KNOWN.match(octets, start) for start in _field_starts(octets))


def _field_starts(octets: bytes) -> Iterator[int]:
    start = 0
    while start < len(octets):
        if octets[start] not in b" \t":
            yield start
        start = octets.find(b"\n", start) + 1 or len(octets)


def _repaired(octets: bytes, complete: bool) -> HeaderSection | None:
    """The section, repaired line by line by the rules at the top of this file."""
    kept: list[bytes] = []
    at = len(codecs.BOM_UTF8) if octets.startswith(codecs.BOM_UTF8) else 0
    while True:
        line, after = _line(octets, at, complete)
        if line is None:
            return _ending(kept, at) if complete else None
        if not line:
            return HeaderSection(b"".join(kept), after)
        if line[0] in b" \t":
            if not line.isspace():
                if not kept:
                    return _ending(kept, at)
                kept.append(line + b"\r\n")
        elif named := _FIELD_LINE.match(line):
            kept.append(named[1] + line[named.end(2) :] + b"\r\n")
        elif not _MBOX_LINE.match(line):
            following, _ = _line(octets, after, complete)
            if following is None and not complete:
                return None
            if not kept or not _WELL_KNOWN.match(following or b""):
                return _ending(kept, at)
            kept.append(b" " + line + b"\r\n")
        at = after


def _ending(kept: list[bytes], at: int) -> HeaderSection:
    """The section that ends at `at` without an empty line; if it has no fields, all is text."""
    return HeaderSection(b"".join(kept), at if kept else 0)


def _line(octets: bytes, at: int, complete: bool) -> tuple[bytes | None, int]:
    """The line at `at`, without its end, and where the next one begins; `None` for no line."""
    found = _LINE_END.search(octets, at)
    if found and (complete or found.end() < len(octets)):
        return octets[at : found.start()], found.end()
    if found or not complete or at == len(octets):
        return None, at
    return octets[at:], len(octets)
