"""Large bodies are kept in pieces, and read from any position."""

import asyncio

from graphrelay.spool.postgres import PostgresSpool
from tests.spool.mail import put
from tests.spool.postgres_server import PostgresServer


async def test_a_large_body_is_read_from_any_place(spool: PostgresSpool) -> None:
    octets = bytes(range(256)) * 5000
    body = spool.incoming()
    for at in range(0, len(octets), 70_001):
        await body.write(octets[at : at + 70_001])
    assert await body.head(300_000) == octets[:300_000]
    await body.discard()
    (one,) = await put(spool, octets)
    for start, end in ((0, 10), (262_140, 262_150), (1_000_000, 2_000_000), (0, len(octets))):
        assert await asyncio.to_thread(one.body.read, start, end) == octets[start:end]


async def test_what_is_discarded_leaves_nothing_behind(
    spool: PostgresSpool, postgres_server_of_all: PostgresServer
) -> None:
    body = spool.incoming()
    await body.write(bytes(600_000))
    await body.discard()
    await body.discard()
    for table in ("pieces", "uploads"):
        assert postgres_server_of_all.execute(f"SELECT FROM graphrelay.{table}") == []
