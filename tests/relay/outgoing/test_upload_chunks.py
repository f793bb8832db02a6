"""An attachment in pieces: the same octets, whatever the pieces, decoded as few times as
possible."""

import base64
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.mime.transfer_encoding import Content
from graphrelay.model import StorageUnavailable
from graphrelay.relay.outgoing.upload_chunks import PieceReader, UploadChunk


@dataclass
class Body:
    """Octets that record where they were read."""

    octets: bytes
    starts: list[int] = field(default_factory=list)

    @property
    def size(self) -> int:
        return len(self.octets)

    def read(self, start: int, end: int) -> bytes:
        self.starts.append(start)
        return self.octets[start:end]


def content(octets: bytes) -> tuple[Content, Body]:
    body = Body(base64.encodebytes(octets))
    return Content(body, 0, body.size, "base64"), body


async def octets(piece: UploadChunk) -> bytes:
    return b"".join([found async for found in piece.chunks()])


def pieces(size: int, cuts: list[int]) -> Iterator[tuple[int, int]]:
    bounds = sorted({0, size, *(cut % (size + 1) for cut in cuts)})
    return itertools.pairwise(bounds)


@given(st.binary(min_size=1, max_size=3_000), st.lists(st.integers(0, 3_000), max_size=9))
async def test_the_pieces_are_the_octets(given_octets: bytes, cuts: list[int]) -> None:
    reader = PieceReader(content(given_octets)[0])
    found = [
        await octets(reader.piece(start, end - start))
        for start, end in pieces(len(given_octets), cuts)
    ]
    assert b"".join(found) == given_octets


async def test_pieces_in_order_are_decoded_once_and_an_earlier_one_starts_again() -> None:
    source, body = content(bytes(range(256)) * 4)
    reader = PieceReader(source)
    for start in range(0, 1_024, 128):
        await octets(reader.piece(start, 128))
    assert body.starts == [0]
    assert await octets(reader.piece(3, 2)) == b"\x03\x04"
    assert body.starts == [0, 0]


async def test_a_piece_is_the_same_when_it_is_read_again() -> None:
    piece = PieceReader(content(b"0123456789")[0]).piece(4, 3)
    assert await octets(piece) == await octets(piece) == b"456"


async def test_an_attachment_that_has_become_shorter_is_not_sent() -> None:
    reader = PieceReader(content(b"0123456789")[0])
    with pytest.raises(StorageUnavailable, match="shorter"):
        await octets(reader.piece(8, 5))
