"""Recipients in a header section (`-t`), as octets in, addresses out.

Only To, Cc and Bcc are read, or where there are any, Resent-To, Resent-Cc and Resent-Bcc in their
place (RFC 5322 section 3.6.6). Nothing is changed: that Bcc reaches nobody is the relay's doing.

The header section ends where a line is no field: text that speaks of `To: somebody` behind a
forgotten empty line makes nobody a recipient.
"""

import os
import re

from graphrelay.sendmail.stop import Stop

_FIELD = re.compile(rb"([!-9;-~]++)[ \t]*+:")
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")

_TOKEN = re.compile(
    rb"""(?P<space>[ \t\r\n\0]++)
    |(?P<encoded>=\?[!->@-~]{1,64}\?[bBqQ]\?[^?\r\n]*+\?=)
    |(?P<quoted>"(?:[^"\\]|\\.)*+(?:"|\\?\Z))
    |(?P<special>[<>@,;:()])
    |(?P<atom>(?:[^ \t\r\n\0<>@,;:()"=]|=(?!\?)|=\?(?![!->@-~]{1,64}\?[bBqQ]\?))++)
    |(?P<other>.)""",
    re.DOTALL | re.VERBOSE,
)
_COMMENT_PART = re.compile(rb"[^()\\]++|\\.?|[()]", re.DOTALL)


def fields(head: bytes) -> list[tuple[str, bytes]]:
    """Names in lower case and values (folded, with line ends), in their order."""
    found: list[tuple[str, list[bytes]]] = []
    for match in _LINE.finditer(head):
        line = match[0]
        if found and line[:1] in b" \t" and line.strip():
            found[-1][1].append(line)
        elif field := _FIELD.match(line):
            found.append((field[1].decode("ascii").lower(), [line[field.end() :]]))
        else:
            break
    return [(name, b"".join(lines)) for name, lines in found]


def has(head: bytes, name: str) -> bool:
    """Whether there is a field of that name."""
    return any(found == name for found, _ in fields(head))


def recipients(head: bytes) -> list[str]:
    """Whom the fields name. Raises `Stop` with EX_DATAERR for what is no address."""
    section = fields(head)
    resent = [value for name, value in section if name in ("resent-to", "resent-cc", "resent-bcc")]
    values = resent or [value for name, value in section if name in ("to", "cc", "bcc")]
    return [address for value in values for address in addresses(value)]


def addresses(value: bytes) -> list[str]:
    """The addresses in a list (RFC 5322 section 3.4), as leniently as the relay reads them.

    `Doe, Jane <jane@x>` is one, groups and routes are read through, comments are not read. A name
    alone is an address of this machine.
    """
    reader = _Reader()
    at = 0
    while match := _TOKEN.match(value, at):
        kind, octets = match.lastgroup or "", match[0]
        if octets == b"(":
            kind, octets = "space", _comment(value, at)
        reader.take(octets.decode("ascii") if kind == "special" else kind, octets)
        at += len(octets)
    return reader.end()


def _comment(value: bytes, start: int) -> bytes:
    """From `(` to the `)` that closes it, nested ones included; to the end if none does."""
    depth = 0
    for part in _COMMENT_PART.finditer(value, start):
        depth += {b"(": 1, b")": -1}.get(part[0], 0)
        if not depth:
            return value[start : part.end()]
    return value[start:]


class _Reader:
    """Collects words until an address is complete."""

    def __init__(self) -> None:
        self._found: list[str] = []
        self._phrase: list[tuple[str, bytes]] = []
        self._has_at = False
        self._angle: list[bytes] = []
        self._in_angle = False
        self._route_ended = False

    def take(self, kind: str, octets: bytes) -> None:
        if self._in_angle:
            self._inside(kind, octets)
        elif kind == "<":
            self._in_angle = True
        elif kind == ":" and not self._has_at:
            self._forget()  # a group's name
        elif kind in ",;:" and not (kind == "," and self._phrase and not self._has_at):
            self._flush()
        elif kind != ">":  # with the comma of `Doe, Jane <jane@…>`
            self._phrase.append((kind, octets))
            self._has_at |= kind == "@"

    def end(self) -> list[str]:
        if self._in_angle:
            self._close_angle()
        self._flush()
        return self._found

    def _inside(self, kind: str, octets: bytes) -> None:
        in_route = self._angle[:1] == [b"@"] and not self._route_ended
        if kind == ">" or (kind in ",;<" and not in_route):
            self._close_angle()
            self._in_angle = kind == "<"
        elif kind != "space":
            self._angle.append(octets)
            self._route_ended |= kind == ":"

    def _close_angle(self) -> None:
        spec = b"".join(self._angle).rpartition(b":")[2]
        if spec:
            self._found.append(_text(spec))
        self._angle, self._in_angle, self._route_ended = [], False, False
        self._forget()

    def _flush(self) -> None:
        """What stands without angle brackets: of its words those with `@`, else all of them, as
        names of this machine's users."""
        words = _words(self._phrase)
        self._forget()
        self._found += [_text(word) for word in words if b"@" in word] or map(_text, words)

    def _forget(self) -> None:
        self._phrase, self._has_at = [], False


def _words(phrase: list[tuple[str, bytes]]) -> list[bytes]:
    """What commas and white space separate; none does beside an `@` or a dot (section 4.4)."""
    words: list[bytes] = []
    word: list[bytes] = []
    spaced = False
    for kind, octets in phrase:
        if kind == "space":
            spaced = True
            continue
        glued = word and (word[-1].endswith((b"@", b".")) or octets.startswith((b"@", b".")))
        if word and (kind == "," or (spaced and not glued)):
            words.append(b"".join(word))
            word = []
        word += [octets] if kind != "," else []
        spaced = False
    return [*words, b"".join(word)] if word else words


def _text(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise Stop(os.EX_DATAERR, f"{octets!r} in the header is no mail address") from None
