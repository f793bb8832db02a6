"""An attachment in pieces, decoded once.

An attachment can be decoded from its beginning only, and doing that again for each piece would
decode one of 100 MB thirty times. So the reader keeps its position between two pieces, and starts
again only for a piece before that position.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from graphrelay.mime.transfer_encoding import Content
from graphrelay.model import StorageUnavailable


class PieceReader:
    """Used by one task at a time."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._at = 0
        self._held = b""
        self._coming: Iterator[bytes] | None = None

    def piece(self, start: int, size: int) -> "UploadChunk":
        """`size` decoded octets from `start` on."""
        return UploadChunk(self, start, size)

    def read(self, start: int, most: int) -> bytes:
        """At most `most` octets from `start` on. Blocks; raises `StorageUnavailable`."""
        if self._coming is None or start < self._at:
            self._coming, self._at, self._held = self._content.pieces(), 0, b""
        while self._at + len(self._held) <= start:
            self._at += len(self._held)
            self._held = next(self._coming, b"")
            if not self._held:
                self._coming = None
                raise StorageUnavailable("an attachment is shorter than it was")
        found = self._held[start - self._at :][:most]
        self._held = self._held[start - self._at + len(found) :]
        self._at = start + len(found)
        return found


@dataclass(frozen=True, slots=True)
class UploadChunk:
    """An `OctetSource`."""

    reader: PieceReader
    start: int
    size: int

    async def chunks(self) -> AsyncIterator[bytes]:
        at, end = self.start, self.start + self.size
        while at < end:
            found = await asyncio.to_thread(self.reader.read, at, end - at)
            at += len(found)
            yield found
