"""Content-Type and Content-Disposition: a value and its parameters (RFC 2045, 2183, 2231).

File names come in every form that was ever allowed, and some that never were: encoded words in
quotes, percent-encoded charsets, names cut into numbered pieces, spaces without quotes, raw octets.
All of them are read, in linear time; if a name is given twice, the RFC 2231 form wins.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from graphrelay.mime import encoded_word

LONGEST = 16 * 1024
"""How many octets of a field are read: a file name of 255 characters in RFC 2231 takes 3,000."""
_VALUE = re.compile(rb"[ \t\r\n]*+([^;,=\s(]{0,255}+)[ \t\r\n]*+")
_UNSEPARATED = re.compile(rb",?[ \t\r\n]*+[A-Za-z*-]{1,40}+=")
"""A parameter behind a comma or a space, where a semicolon should be."""
_PARAMETER = re.compile(
    rb';[ \t\r\n]*+([^\s=;"*]++)(?:\*(\d{1,4}))?(\*)?[ \t\r\n]*+=[ \t\r\n]*+'
    rb'(?:"((?:[^"\\]|\\.)*+)"?|([^;]*+))',
    re.DOTALL,
)
_COMMENTED = re.compile(rb"([^\s()]++)\s++\([^()]*+\)")
_PAIR = re.compile(rb'\\(["\\])')
"""Windows programs write paths in quoted strings and escape nothing: `"C:\\TEMP\\scan.pdf"`. So a
backslash before anything but a quote or a backslash stands for itself."""


@dataclass(frozen=True, slots=True)
class Parametrized:
    """`value; name=…`."""

    value: str
    """In lower case."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Decoded, by name in lower case."""


@dataclass(frozen=True, slots=True)
class _Piece:
    octets: bytes
    percent_encoded: bool


def value(octets: bytes) -> str:
    """What precedes the parameters, in lower case."""
    return _split(octets[:LONGEST])[0]


def _split(octets: bytes) -> tuple[str, bytes]:
    """The value and the parameters; `filename="a.pdf"` alone has no value."""
    found = _VALUE.match(octets)
    if found is None or octets.startswith(b"=", found.end()):
        return "", b";" + octets
    rest = octets[found.end() :]
    if _UNSEPARATED.match(rest):
        rest = b";" + rest.removeprefix(b",")
    return found[1].decode("latin-1").lower(), rest


def read(octets: bytes) -> Parametrized:
    """Anything beyond `LONGEST` is ignored."""
    found, octets = _split(octets[:LONGEST])
    plain: dict[str, str] = {}
    pieces: dict[str, dict[int, _Piece]] = {}
    for match in _PARAMETER.finditer(octets):
        name = match[1].decode("latin-1").lower()
        quoted, bare = match[4], match[5]
        content = _PAIR.sub(rb"\1", quoted) if quoted is not None else _uncommented(bare.strip())
        content = content.replace(b"\r\n", b"")
        if match[2] or match[3]:
            piece = _Piece(content, bool(match[3]))
            pieces.setdefault(name, {}).setdefault(int(match[2] or 0), piece)
        else:
            plain.setdefault(name, encoded_word.decode(content))
    extended = {name: _joined(found) for name, found in pieces.items()}
    return Parametrized(found, plain | extended)


def _uncommented(bare: bytes) -> bytes:
    """Without the comment behind a word (RFC 2045 section 5.1); spaces within a name stay."""
    found = _COMMENTED.fullmatch(bare)
    return found[1] if found else bare


def _joined(pieces: dict[int, _Piece]) -> str:
    """RFC 2231 section 4.1: the first piece has the charset for those that are encoded."""
    joined, charset = list[bytes](), ""
    for place, number in enumerate(sorted(pieces)):
        piece = pieces[number]
        content = piece.octets
        if piece.percent_encoded:
            if place == 0 and content.count(b"'") >= 2:
                declared, _, content = content.split(b"'", 2)
                charset = declared.decode("latin-1")
            content = unquote_to_bytes(content)
        joined.append(content)
    return encoded_word.text(b"".join(joined), charset)
