"""The console limits its connections: the descriptors that they use are not available for mail."""

import asyncio
import contextlib
from collections import Counter

import aiohttp

from graphrelay.console.app import MOST_CONNECTIONS
from graphrelay.console.live import MOST_EACH
from tests.console.conftest import Opened


async def test_a_client_beyond_the_limit_is_hung_up_on_and_the_others_go_on(
    opened: Opened,
) -> None:
    otto = await opened.operator()
    port = int(opened.console.address.rpartition(":")[2])
    silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MOST_CONNECTIONS)]
    assert (await otto.get("/")).status == 200, "its connection is kept"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    assert await asyncio.wait_for(reader.read(), 10) == b""
    for _, other in [*silent, (reader, writer)]:
        other.close()


async def test_of_500_streams_of_a_session_ten_are_served_and_pages_go_on(
    opened: Opened,
) -> None:
    otto = await opened.operator()
    cookies = otto.cookies()
    statuses: Counter[int] = Counter()
    async with contextlib.AsyncExitStack() as stack:
        connector = aiohttp.TCPConnector(limit=100)
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=connector, cookies=cookies)
        )
        for _ in range(500):
            answer = await session.get(f"{otto.base}/events", cookies=cookies)
            stack.callback(answer.close)
            statuses[answer.status] += 1
            if answer.status != 200:
                await answer.read()
        assert (await otto.get("/")).status == 200
    assert statuses == {200: MOST_EACH, 503: 500 - MOST_EACH}
