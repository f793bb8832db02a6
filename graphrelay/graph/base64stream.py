"""Base64 of a message as a stream: the whole message is never in memory.

Graph takes MIME as one base64 string, and its size limit counts that string
(https://learn.microsoft.com/en-us/graph/outlook-send-mime-message). Pieces are multiples of three
octets, so that padding comes only at the end; the length is known in advance.
"""

import binascii
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

REQUEST = 4_000_000
"""Octets of the largest request that Graph accepts; documented as "4 MB", read as MB, not MiB."""
PIECE = 48 * 1024
"""Octets of the message in a piece; a multiple of three."""


def encoded_size(size: int) -> int:
    """How many characters the base64 of `size` octets has (RFC 4648 section 4)."""
    return 4 * -(-size // 3)


async def encoded(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The base64 of `chunks`, in pieces of `encoded_size(PIECE)` characters, the last shorter."""
    gathered = bytearray()
    async with closing(chunks):
        async for chunk in chunks:
            gathered += chunk
            while len(gathered) >= PIECE:
                yield binascii.b2a_base64(gathered[:PIECE], newline=False)
                del gathered[:PIECE]
    if gathered:
        yield binascii.b2a_base64(gathered, newline=False)


@asynccontextmanager
async def closing(chunks: AsyncIterator[bytes]) -> AsyncIterator[AsyncIterator[bytes]]:
    """Closes a generator at the end, so that a file it reads is not left open."""
    try:
        yield chunks
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()
