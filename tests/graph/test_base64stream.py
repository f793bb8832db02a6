"""The base64 of a stream is the same however the stream is cut."""

import base64
from collections.abc import AsyncIterator

from hypothesis import given
from hypothesis import strategies as st

from graphrelay.graph.base64stream import PIECE, encoded, encoded_size


async def stream(pieces: list[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def collected(pieces: list[bytes]) -> list[bytes]:
    return [piece async for piece in encoded(stream(pieces))]


@given(st.lists(st.binary(max_size=20)))
async def test_any_split_gives_the_same_base64_of_the_announced_length(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    octets = b"".join(await collected(pieces))
    assert octets == base64.b64encode(whole)
    assert len(octets) == encoded_size(len(whole))


async def test_large_chunks_are_cut_and_small_ones_gathered() -> None:
    whole = bytes(range(256)) * 2_000
    for pieces in ([whole], [whole[i : i + 1] for i in range(len(whole))]):
        lengths = [len(piece) for piece in await collected(pieces)]
        assert set(lengths[:-1]) == {encoded_size(PIECE)}
        assert len(lengths) == -(-len(whole) // PIECE)


async def test_stopping_early_closes_what_was_read() -> None:
    closed = False

    async def source() -> AsyncIterator[bytes]:
        nonlocal closed
        try:
            while True:
                yield bytes(PIECE)
        finally:
            closed = True

    pieces = encoded(source())
    await anext(pieces)
    await pieces.aclose()
    assert closed
