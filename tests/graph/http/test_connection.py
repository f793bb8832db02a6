"""What a connection promises beyond what aiohttp does, octet by octet, and how one is made."""

import asyncio
import socket
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from graphrelay.graph.http.connection import LONGEST_HEAD, Connector, GraphConnection
from tests.graph.scripted import Wire, answers, http, scripted, trusting_context


class Recorded(asyncio.Transport):
    """A transport of which only the closing matters."""

    aborted = False

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


def connection(*, sent: bool = True) -> tuple[GraphConnection, Recorded]:
    """A connection on which a request has begun and has been sent completely."""
    made, transport = GraphConnection(asyncio.get_running_loop()), Recorded()
    made.connection_made(transport)
    made.set_response_params(read_until_eof=True, max_field_size=2 * LONGEST_HEAD)
    if sent:
        made.start_timeout()
    return made, transport


async def test_an_informational_answer_is_not_the_answer() -> None:
    made, transport = connection()
    made.data_received(b"HTTP/1.1 102 Processing\r\n\r\n" + http(202))
    assert (await made.read())[0].code == 202
    assert not made._buffer
    assert not transport.aborted


@pytest.mark.parametrize(
    ("begins", "goes_on"),
    [
        (b"", b"HTTP/1.1 102 Processing\r\n\r\n" * 10),
        (b"HTTP/1.1 200 Ok\r\nA: ", b"x" * 300),
        (b"HTTP/1.1 200 Ok\r\n", b"A: " + b"x" * 3_000 + b"\r\n"),
    ],
)
async def test_the_octets_before_the_body_are_limited_whatever_they_are(
    begins: bytes, goes_on: bytes
) -> None:
    made, transport = connection()
    made.data_received(begins)
    octets = len(begins)
    while not transport.aborted:
        made.data_received(goes_on)
        octets += len(goes_on)
    assert octets <= LONGEST_HEAD + len(goes_on)
    with pytest.raises(aiohttp.ClientPayloadError, match="did not begin within 64 kB"):
        await made.read()


async def test_each_request_has_the_whole_limit_for_its_answer() -> None:
    made, transport = connection()
    for _ in range(3):
        made.data_received(http(202, b"", "A: " + "b" * 5_000))
        await made.read()
        made.set_response_params()
        made.start_timeout()
    assert not transport.aborted
    assert made._head_left == LONGEST_HEAD


@pytest.mark.parametrize("stray", [b"x", http(202), b"HTTP/1.1 100 Continue\r\n\r\n"])
async def test_what_an_idle_connection_says_ends_it(stray: bytes) -> None:
    made, transport = connection()
    made.data_received(http(202, b"body"))
    await made.read()
    assert not transport.aborted
    made.data_received(stray)
    assert transport.aborted
    assert not made._buffer
    assert not made.is_connected()


async def test_a_second_answer_in_the_same_packet_ends_the_connection_after_the_first() -> None:
    made, _ = connection()
    made.data_received(http(202) + http(500))
    assert (await made.read())[0].code == 202
    assert made.should_close


async def test_a_success_counts_once_the_request_has_gone_out_a_refusal_at_once() -> None:
    made, _ = connection(sent=False)
    made.data_received(http(413))
    assert (await made.read())[0].code == 413

    made, _ = connection(sent=False)
    made.data_received(http(202))
    assert not made._buffer
    made.start_timeout()
    assert (await made.read())[0].code == 202


async def test_a_connection_is_closed_by_ending_it() -> None:
    made, transport = connection()
    made.close()
    assert transport.aborted


# Making one -----------------------------------------------------------------------------------


async def get(connector: Connector, port: int) -> int:
    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        answer = await session.post(f"https://localhost:{port}/", data=b"x")
        return answer.status


async def test_an_address_that_leads_nowhere_costs_a_head_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        async with scripted(answers(http(202))) as server:
            full.bind(("127.0.0.2", server.port))
            full.listen(0)
            for client in (first, second):  # more than the queue holds: no answer to any other
                client.setblocking(False)
                client.connect_ex(("127.0.0.2", server.port))

            async def both(*_: Any, **__: Any) -> list[dict[str, Any]]:
                return [{"host": host, "port": server.port} for host in ("127.0.0.2", "127.0.0.1")]

            monkeypatch.setattr(aiohttp.ThreadedResolver, "resolve", both)
            connector = Connector(trusting_context(), timedelta(seconds=30))
            assert await get(connector, server.port) == 202


async def test_the_kernel_holds_little_that_is_not_on_the_way() -> None:
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    if option is None:
        pytest.skip("this system has no such limit")
    seen: list[int] = []

    async def look(wire: Wire) -> None:
        [ours] = connector._acquired
        assert ours.transport is not None
        seen.append(ours.transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, option))
        await wire.request()
        await wire.say(http(202))

    async with scripted(look) as server:
        connector = Connector(trusting_context(), timedelta(seconds=30))
        assert await get(connector, server.port) == 202
    assert seen == [96 * 1024]
