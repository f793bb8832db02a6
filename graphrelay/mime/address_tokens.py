"""The tokens of an address list (RFC 5322 section 3.4, with the obsolete forms of section 4.4).

    b"Doe, Jane (boss) <@a,@b:j@x>, c @ y"  ──▶  ([Doe , Jane (boss)], b"j@x"), ([c @ y], None)

The relay (`address_list`) and graphrelay-sendmail (`sendmail.header`) both use it, so that they
find the same addresses in the same header. It takes linear time and never fails.

It imports nothing but `re`: graphrelay-sendmail starts in a fraction of the time that the relay
takes, and this is the only file outside its package that it may import.
"""

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(
    rb"""(?P<space>[ \t\r\n\0]++)
    |(?P<encoded>=\?[!->@-~]{1,64}\?[bBqQ]\?[^?\r\n]*+\?=)
    |(?P<quoted>"(?:[^"\\]|\\.|\\\Z)*+(?:"|\Z))
    |(?P<special>[<>@,;:()])
    |(?P<atom>(?:[^ \t\r\n\0<>@,;:()"=]|=(?!\?)|=\?(?![!->@-~]{1,64}\?[bBqQ]\?))++)
    |(?P<other>.)""",
    re.DOTALL | re.VERBOSE,
)
_COMMENT_PART = re.compile(rb"[^()\\]++|\\.?|[()]", re.DOTALL)
NO_WORDS = {"space", "comment"}
"""Kinds of tokens that only separate words."""

Token = tuple[str, bytes]
"""Its kind (for a special, the character itself), and its octets."""


def tokens(value: bytes) -> "Iterator[Token]":
    """All tokens of a value, in order; a comment is one token."""
    at = 0
    while match := _TOKEN.match(value, at):
        kind, octets = match.lastgroup or "", match[0]
        if kind == "special":
            kind = octets.decode("ascii")
        if kind == "(":
            kind, octets = "comment", _comment(value, at)
        yield kind, octets
        at += len(octets)


def _comment(value: bytes, start: int) -> bytes:
    """The end of a comment: after the `)` that closes it, nested comments included, or the end of
    the value."""
    depth = 0
    for part in _COMMENT_PART.finditer(value, start):
        depth += {b"(": 1, b")": -1}.get(part[0], 0)
        if not depth:
            return value[start : part.end()]
    return value[start:]


def mailboxes(value: bytes) -> "Iterator[tuple[list[Token], bytes | None]]":
    """Pairs of the tokens before angle brackets and the octets inside, without white space,
    comments and a route; or, without angle brackets, the tokens up to the comma or semicolon that
    ends them, and `None`.

    Such a comma follows an address: `Doe, Jane <jane@x>` is one mailbox, and `root, anna` is one
    piece. Names of groups are omitted.
    """
    reader = _Reader()
    for kind, octets in tokens(value):
        yield from reader.inside(kind, octets) if reader.in_angle else reader.outside(kind, octets)
    yield from reader.end()


class _Reader:
    """Collects tokens until a mailbox is complete."""

    def __init__(self) -> None:
        self.in_angle = False
        self._phrase: list[Token] = []
        self._kinds: set[str] = set()
        self._angle: list[bytes] = []
        self._in_route = False

    def outside(self, kind: str, octets: bytes) -> "Iterator[tuple[list[Token], bytes | None]]":
        bare = "@" not in self._kinds
        if kind == "<":
            self.in_angle = True
        elif kind == ":" and bare:
            self._take_phrase()  # a group's name
        elif kind in ",;:" and not (kind == "," and bare and self._kinds - NO_WORDS):
            yield from self._flush()
        elif kind != ">":  # with the comma of `Doe, Jane <jane@…>`
            self._phrase.append((kind, octets))
            self._kinds.add(kind)

    def inside(self, kind: str, octets: bytes) -> "Iterator[tuple[list[Token], bytes | None]]":
        if kind == ">" or (kind in ",;<" and not self._in_route):
            yield self._close_angle()
            self.in_angle = kind == "<"
        elif kind not in NO_WORDS:
            self._in_route = kind != ":" and (self._in_route or (not self._angle and kind == "@"))
            self._angle.append(octets)

    def end(self) -> "Iterator[tuple[list[Token], bytes | None]]":
        if self.in_angle:
            yield self._close_angle()
        yield from self._flush()

    def _close_angle(self) -> tuple[list[Token], bytes | None]:
        spec = b"".join(self._angle).rpartition(b":")[2]
        self._angle, self._in_route, self.in_angle = [], False, False
        return self._take_phrase(), spec

    def _flush(self) -> "Iterator[tuple[list[Token], bytes | None]]":
        if phrase := self._take_phrase():
            yield phrase, None

    def _take_phrase(self) -> list[Token]:
        phrase, self._phrase, self._kinds = self._phrase, [], set()
        return phrase


def words(phrase: list[Token]) -> "Iterator[bytes]":
    """The words between commas and white space; neither separates beside an `@` or a dot (section
    4.4)."""
    word: list[bytes] = []
    spaced = False
    for kind, octets in phrase:
        if kind in NO_WORDS:
            spaced = True
            continue
        glued = word and (word[-1].endswith((b"@", b".")) or octets.startswith((b"@", b".")))
        if word and (kind == "," or (spaced and not glued)):
            yield b"".join(word)
            word = []
        word += [octets] if kind != "," else []
        spaced = False
    if word:
        yield b"".join(word)
