"""Contents of parts, decoded as they are read (RFC 2045 section 6).

A part of 100 MB is never in memory: its octets are read and decoded in pieces, and counted
beforehand because Graph needs the size first. Reading blocks, so it is done in a thread.
"""

import asyncio
import binascii
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from graphrelay.model import Body

PIECE = 256 * 1024
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NO_BASE64 = bytes(set(range(256)) - set(_BASE64 + b"="))


@dataclass(frozen=True)
class Content:
    """The decoded content of a part: an `OctetSource`."""

    body: Body
    start: int
    end: int
    encoding: str
    """Content-Transfer-Encoding in lower case; an unknown encoding is not decoded."""

    @cached_property
    def size(self) -> int:
        """The decoded size. Reads all of it if necessary; blocks."""
        if self.encoding not in _DECODERS:
            return self.end - self.start
        if self.encoding == "base64":
            return _size_of_base64(_raw(self.body, self.start, self.end))
        return sum(map(len, self.pieces()))

    def pieces(self) -> Iterator[bytes]:
        """The decoded octets; blocks."""
        raw = _raw(self.body, self.start, self.end)
        return _DECODERS[self.encoding](raw) if self.encoding in _DECODERS else raw

    def beginning(self, limit: int) -> bytes:
        """All of it if that is at most `limit` octets, else slightly more than `limit`."""
        found = b""
        for piece in self.pieces():
            found += piece
            if len(found) > limit:
                break
        return found

    async def chunks(self) -> AsyncIterator[bytes]:
        pieces = self.pieces()
        while piece := await asyncio.to_thread(next, pieces, b""):
            yield piece


def _raw(body: Body, start: int, end: int) -> Iterator[bytes]:
    for at in range(start, end, PIECE):
        yield body.read(at, min(at + PIECE, end))


def _base64(raw: Iterator[bytes]) -> Iterator[bytes]:
    """Decodes up to the first padding; skips everything outside the alphabet."""
    held = b""
    for piece in raw:
        held += piece.translate(None, _NO_BASE64)
        held, padding, _ = held.partition(b"=")
        whole = len(held) - len(held) % 4
        if whole:
            yield binascii.a2b_base64(held[:whole])
        held = held[whole:]
        if padding:
            break
    if len(held) > 1:
        yield binascii.a2b_base64(held + b"=" * (4 - len(held)))


def _size_of_base64(raw: Iterator[bytes]) -> int:
    """How many octets `_base64` gives, which need not be decoded for that."""
    letters = 0
    for piece in raw:
        before, padding, _ = piece.translate(None, _NO_BASE64).partition(b"=")
        letters += len(before)
        if padding:
            break
    return letters * 3 // 4


def _quoted_printable(raw: Iterator[bytes]) -> Iterator[bytes]:
    """Whole lines at a time: white space at the end of a line is ignored."""
    held = b""
    for piece in raw:
        held += piece
        whole = held.rfind(b"\n") + 1
        if not whole and len(held) > PIECE:
            whole = held.rfind(b"=", -3) if b"=" in held[-3:] else len(held)
        if whole and (decoded := binascii.a2b_qp(held[:whole])):
            yield decoded
        held = held[whole:]
    if held and (decoded := binascii.a2b_qp(held)):
        yield decoded


_DECODERS: dict[str, Callable[[Iterator[bytes]], Iterator[bytes]]] = {
    "base64": _base64,
    "quoted-printable": _quoted_printable,
}
KNOWN_ENCODINGS = frozenset({*_DECODERS, "", "7bit", "8bit", "binary"})
