"""Clients that take their time, or take all there is: real sockets, and the test's clock."""

import asyncio
import contextlib
import re
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import aiohttp
import pytest
import trustme

from graphrelay.console.connections import BODY, HEAD, LOOK, MOST, MOST_EACH, UNREAD
from graphrelay.console.live import MOST as MOST_STREAMS
from graphrelay.console.live import MOST_EACH as STREAMS_EACH
from graphrelay.console.pages.log import AT_ONCE
from graphrelay.smtp.access.listener import Listener
from graphrelay.spool.values import MOST_REFUSALS
from tests.clock import settle
from tests.console.conftest import Browser, Opened, Opening, options
from tests.console.test_guard import ROW

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
REQUEST = b"GET /sign-in HTTP/1.1\r\nHost: localhost\r\n\r\n"
SOON = 20
"""Seconds of real time until a test gives up."""


class Clients:
    """Connections of one test, from whichever address of loopback."""

    def __init__(self, stack: contextlib.AsyncExitStack, opened: Opened) -> None:
        self._stack = stack
        self.port = int(opened.console.address.rpartition(":")[2])

    async def connect(self, address: str = "127.0.0.1") -> Connection:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, local_addr=(address, 0)
        )
        self._stack.callback(writer.close)
        return reader, writer


@pytest.fixture
async def clients(opened: Opened) -> AsyncIterator[Clients]:
    async with contextlib.AsyncExitStack() as stack:
        made = Clients(stack, opened)
        await served(await made.connect())  # the pages are loaded
        yield made


async def served(connection: Connection, request: bytes = REQUEST) -> bool:
    """Whether the request is answered."""
    reader, writer = connection
    try:
        writer.write(request)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), SOON)
        [length] = re.findall(rb"Content-Length: (\d+)", head)
        await asyncio.wait_for(reader.readexactly(int(length)), SOON)
    except (ConnectionError, asyncio.IncompleteReadError):
        return False
    return head.startswith(b"HTTP/1.1 200")


async def is_over(reader: asyncio.StreamReader) -> bool:
    """Wait until the other side has ended the connection."""
    with contextlib.suppress(ConnectionError):
        while await asyncio.wait_for(reader.read(65_536), SOON):
            pass
    return True


async def pass_by(opened: Opened, duration: timedelta) -> None:
    """Time goes on, and what the network does meanwhile is done."""
    for _ in range(5):
        await asyncio.sleep(0.001)  # the server's side of the sockets
        await settle()
    await opened.clock.advance(duration)


# --- How many ------------------------------------------------------------------------------------


async def test_connections_without_a_request_shut_nobody_out(
    opened: Opened, clients: Clients
) -> None:
    for number in range(MOST + 100):
        await clients.connect(f"127.0.0.{1 + number % 250}")
    assert await served(await clients.connect())
    assert await served(await clients.connect("127.0.0.77"))
    assert (await (await opened.operator()).get("/")).status == 200


@pytest.mark.parametrize("lacks", ["sock_accept", "connect_accepted_socket"])
async def test_a_client_for_which_there_is_no_memory_is_the_only_one_that_is_not_served(
    opened: Opened, clients: Clients, monkeypatch: pytest.MonkeyPatch, lacks: str
) -> None:
    met = asyncio.Event()

    async def without_memory(*_: object, **__: object) -> None:
        met.set()
        raise MemoryError

    with monkeypatch.context() as short:
        short.setattr(asyncio.get_running_loop(), lacks, without_memory)
        await clients.connect()
        await asyncio.wait_for(met.wait(), SOON)
    await opened.clock.advance(LOOK)
    assert await served(await clients.connect())


async def test_half_a_request_is_none(clients: Clients) -> None:
    for _ in range(MOST_EACH):
        _, writer = await clients.connect()
        writer.write(REQUEST[:-4])
        await writer.drain()
    assert await served(await clients.connect())


async def test_the_one_that_asked_for_nothing_for_longest_makes_room(
    opened: Opened, clients: Clients
) -> None:
    first = await clients.connect("127.0.0.9")
    await pass_by(opened, timedelta(seconds=1))
    others = [await clients.connect("127.0.0.9") for _ in range(MOST_EACH - 1)]
    await pass_by(opened, timedelta(seconds=1))
    last = await clients.connect("127.0.0.9")
    assert await is_over(first[0])
    assert await served(last)
    assert await served(others[0])


async def test_one_address_has_no_more_than_its_share_of_what_is_being_answered(
    opened: Opened, clients: Clients
) -> None:
    """Requests that are answered are never cut off, so a client that has all of its share is
    refused another."""
    streams = []
    for _ in range(MOST_STREAMS // STREAMS_EACH):
        otto = await opened.operator()
        streams += [await otto.session.get(f"{otto.base}/events") for _ in range(STREAMS_EACH)]
    assert [answer.status for answer in streams] == [200] * MOST_STREAMS
    for _ in range(MOST_EACH):
        await clients.connect()
    assert all(not answer.content.at_eof() for answer in streams), "none was ended"
    assert await served(await clients.connect())


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
            statuses[answer.status] += 1
            if answer.status == 200:
                stack.callback(answer.close)
            else:
                await answer.read()
        assert (await otto.get("/")).status == 200
    assert statuses == {200: STREAMS_EACH, 503: 500 - STREAMS_EACH}


async def test_pages_that_are_closed_leave_their_streams_to_others_at_once(
    opened: Opened,
) -> None:
    otto = await opened.operator()
    statuses: list[int] = []
    for _ in range(3):
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(STREAMS_EACH):
                session = await stack.enter_async_context(
                    aiohttp.ClientSession(cookies=otto.cookies())
                )
                answer = await session.get(f"{otto.base}/events", cookies=otto.cookies())
                statuses.append(answer.status)
                stack.callback(answer.close)
        await settle(20)
    assert statuses == [200] * 3 * STREAMS_EACH


async def test_people_behind_a_proxy_have_no_share_of_one_address(opening: Opening) -> None:
    opened = await opening(options(proxy_from=(ip_network("127.0.0.1/32"),)))
    async with contextlib.AsyncExitStack() as stack:
        clients = Clients(stack, opened)
        await served(await clients.connect())
        first = await clients.connect()
        await pass_by(opened, timedelta(seconds=1))
        for _ in range(MOST_EACH + 10):
            await clients.connect()
        await pass_by(opened, timedelta(seconds=1))
        assert await served(first)


# --- How long ------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", [b"", REQUEST[:10], REQUEST[:-2]])
async def test_a_request_has_to_arrive_in_time(
    opened: Opened, clients: Clients, sent: bytes
) -> None:
    reader, writer = await clients.connect()
    writer.write(sent)
    await pass_by(opened, HEAD - LOOK)
    assert not reader.at_eof()
    await pass_by(opened, 2 * LOOK)
    assert await is_over(reader)


async def test_octets_one_by_one_give_no_more_time(opened: Opened, clients: Clients) -> None:
    reader, writer = await clients.connect()
    seconds = int(HEAD.total_seconds())
    for second in range(seconds + 1):
        with contextlib.suppress(ConnectionError):
            writer.write(REQUEST[second : second + 1])
            await writer.drain()
        await pass_by(opened, timedelta(seconds=1))
    assert await is_over(reader)


async def test_each_request_of_a_connection_has_its_own_time(
    opened: Opened, clients: Clients
) -> None:
    connection = await clients.connect()
    for _ in range(3):
        assert await served(connection)
        await pass_by(opened, HEAD - 2 * LOOK)
    await pass_by(opened, 3 * LOOK)
    assert await is_over(connection[0])


async def test_the_body_of_a_form_has_to_arrive_in_time(opened: Opened, clients: Clients) -> None:
    reader, writer = await clients.connect()
    writer.write(
        b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n\r\nname="
    )
    await pass_by(opened, BODY + LOOK)
    assert (await asyncio.wait_for(reader.readline(), SOON)).startswith(b"HTTP/1.1 408")


async def test_a_handshake_has_to_end_in_time(opening: Opening, tmp_path: Path) -> None:
    file = tmp_path / "both.pem"
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(file))
    listener = Listener(address="127.0.0.1:0", tls="implicit", certificate_file=file)
    opened = await opening(options(listener=listener))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    url = f"{opened.console.url}/sign-in"
    async with contextlib.AsyncExitStack() as stack:
        clients = Clients(stack, opened)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        assert (await session.get(url, ssl=context)).status == 200
        reader, _ = await clients.connect()
        for _ in range(MOST + 10):  # they shut nobody out
            await clients.connect("127.0.0.9")
        async with aiohttp.ClientSession() as another:
            assert (await another.get(url, ssl=context)).status == 200
        await pass_by(opened, HEAD + LOOK)
        assert await is_over(reader)
        _, writer = await clients.connect()
        writer.write(b"GET / HTTP/1.1\r\n\r\n")  # no TLS at all
        async with aiohttp.ClientSession() as another:
            assert (await another.get(url, ssl=context)).status == 200


def request_by(opened: Opened, who: Browser, path: str) -> bytes:
    cookie = "; ".join(f"{name}={value}" for name, value in who.cookies().items())
    head = (f"GET {path} HTTP/1.1", f"Host: {opened.console.address}", f"Cookie: {cookie}")
    return ("\r\n".join(head) + "\r\n\r\n").encode()


async def test_a_client_that_reads_nothing_is_cut_off(opening: Opening) -> None:
    """It asks for an export that never ends."""
    rows = [{**ROW, "subject": "s" * 900} for _ in range(AT_ONCE)]
    opened = await opening(log=rows)
    otto = await opened.operator()
    with socket.socket() as deaf:
        deaf.connect(("127.0.0.1", int(opened.console.address.rpartition(":")[2])))
        deaf.sendall(request_by(opened, otto, "/log.csv"))
        read, still = -1, 0
        while still < 50:  # until the server can write no more
            await asyncio.sleep(0.01)
            still = still + 1 if len(opened.verbs.asked) == read else 0
            read = len(opened.verbs.asked)
        await pass_by(opened, UNREAD + LOOK)
        deaf.settimeout(SOON)
        with contextlib.suppress(ConnectionError):
            while deaf.recv(1_000_000):
                pass
    assert (await otto.get("/")).status == 200


async def test_a_client_that_reads_slowly_gets_all_of_a_large_answer(opening: Opening) -> None:
    opened = await opening(log_refused=[{"reason": "s" * 3_000} for _ in range(MOST_REFUSALS)])
    otto = await opened.operator()
    with socket.socket() as slow:
        slow.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(slow, ("127.0.0.1", int(opened.console.address.rpartition(":")[2])))
        await loop.sock_sendall(slow, request_by(opened, otto, "/log/refused.csv"))
        head, _, rest = (await loop.sock_recv(slow, 65_536)).partition(b"\r\n\r\n")
        length, got, paused = int(head.partition(b"Content-Length: ")[2].split()[0]), len(rest), 0
        while got < length:
            async with asyncio.timeout(SOON):
                octets = await loop.sock_recv(slow, 65_536)
            assert octets, f"cut off after {got:,} of {length:,} octets"
            got += len(octets)
            if got // 2_000_000 > paused:
                paused += 1
                await pass_by(opened, UNREAD * 2 / 3)
        assert paused > 2
