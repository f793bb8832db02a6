"""Encoded words (RFC 2047): text of any charset in header fields.

Decoding never fails: it tries the declared charset, then UTF-8, then UTF-8 with a few invalid
octets, then Windows-1252, the usual charset behind a wrong declaration. Encoding always uses UTF-8
in base64, in words of at most 75 characters that never split a character. Both take linear time.
"""

import base64
import binascii
import codecs
import re

from graphrelay.mime import charsets

WORD = re.compile(rb"=\?([!->@-~]{1,64})\?([bBqQ])\?([^?\r\n]*+)\?=")
_OCTETS_PER_WORD = 42


def decode(octets: bytes, charset: str = "") -> str:
    """The text of an unstructured or phrase value, with its line folding.

    Octets outside of encoded words should be ASCII; those that are not are read as UTF-8 or else in
    `charset`, that of the body.
    """
    declared = charset
    pieces: list[tuple[str, list[bytes]]] = []
    at = 0
    for word in WORD.finditer(octets):
        between = octets[at : word.start()]
        if between and not (pieces and pieces[-1][0] and not between.strip(b" \t\r\n")):
            pieces.append(("", [between]))
        charset = word[1].split(b"*")[0].decode("ascii").lower()
        content = _transfer_decoded(word[2], word[3])
        # A character that was split over two words is joined again.
        if pieces and pieces[-1][0] == charset:
            pieces[-1][1].append(content)
        else:
            pieces.append((charset, [content]))
        at = word.end()
    pieces.append(("", [octets[at:]]))
    return "".join(
        text(b"".join(content), charset) if charset else undeclared(b"".join(content), declared)
        for charset, content in pieces
    )


def text(octets: bytes, charset: str = "") -> str:
    """Octets as text: by the declared charset if it fits, else UTF-8, else Windows-1252."""
    return _first_that_fits(octets, (charset, "utf-8"))


def undeclared(octets: bytes, charset: str = "") -> str:
    """Octets without a declared charset: UTF-8, else that of the body, else Windows-1252."""
    return _first_that_fits(octets, ("utf-8", charset))


def _first_that_fits(octets: bytes, labels: tuple[str, ...]) -> str:
    for label in labels:
        found = charsets.decode(octets, label) if label else None
        if found is not None:
            return found
    return _mostly_utf_8(octets) or octets.decode("cp1252", "replace")


def _mostly_utf_8(octets: bytes) -> str | None:
    """Decodes UTF-8 with some invalid octets, if these are fewer than the valid ones: they are read
    as Windows-1252, so that one of them does not make all others unreadable."""
    text = octets.decode("utf-8", _BROKEN)
    broken = len(octets) - len(octets.decode("utf-8", "ignore").encode("utf-8"))
    well = sum(character > "\x7f" for character in text) - broken
    return text if well > broken else None


_BROKEN = "graphrelay-as-windows-1252"


def _as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)  # noqa: S101 (only for decoding)
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error(_BROKEN, _as_windows_1252)


def encode(content: str) -> bytes:
    """`content` as encoded words, each on a line of its own after the first."""
    words: list[bytes] = []
    chunk = b""
    for character in content:
        octets = character.encode("utf-8", "replace")
        if len(chunk) + len(octets) > _OCTETS_PER_WORD:
            words.append(chunk)
            chunk = b""
        chunk += octets
    words.append(chunk)
    return b"\r\n ".join(b"=?utf-8?B?" + base64.b64encode(word) + b"?=" for word in words)


def _transfer_decoded(encoding: bytes, content: bytes) -> bytes:
    if encoding in b"qQ":
        return binascii.a2b_qp(content, header=True)
    try:
        return binascii.a2b_base64(content + b"=" * (-len(content) % 4))
    except binascii.Error:
        return content
