"""What the client sends to Graph, and how it handles any answer, over real connections."""

import asyncio
import base64
import json
import ssl
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from graphrelay.graph.http.exchange import BodyChanged, Timeouts
from graphrelay.graph.proxy import Proxy
from graphrelay.graph.session import MailboxSession, Mime
from graphrelay.graph.tls import client_context
from graphrelay.model import Delayed, Failed, Outcome, Paused, Relayed, Uncertain
from tests.graph.scripted import (
    QUICK,
    TOKEN,
    Heard,
    Octets,
    Wire,
    all_closed,
    answers,
    http,
    scripted,
    session_of,
)

SMALL = Octets(b"Subject: Hello\r\n\r\nHello\r\n")
LARGE = Octets(bytes(range(256)) * 12_000)
HUGE = Octets(bytes(40_000_000), 1_000_000)
"""More than the kernels of both sides take into their buffers."""
TOO_LARGE = b'{"error": {"code": "RequestEntityTooLarge", "message": "too large"}}'


async def send(session: MailboxSession, source: Octets = SMALL) -> Outcome:
    return await session.send(Mime(source))


# What goes out -------------------------------------------------------------------------------


async def test_a_message_goes_out_as_base64_with_its_length_and_the_headers_graph_wants() -> None:
    async with scripted(answers(http(202, b"", "request-id: abc"))) as server:
        session = await server.session()
        outcome = await send(session)
    assert isinstance(outcome, Relayed)
    assert outcome.answer.http_status == 202
    assert outcome.answer.request_id == "abc"
    assert outcome.answer.client_request_id == session.client_request_id
    [request] = server.heard
    assert request.request_line == "POST /v1.0/me/sendMail HTTP/1.1"
    assert base64.b64decode(request.body, validate=True) == SMALL.octets
    assert request.values("content-length") == [str(len(request.body))]
    assert request.values("transfer-encoding") == []
    assert request.values("content-type") == ["text/plain"]
    assert request.values("authorization") == [f"Bearer {TOKEN}"]
    assert request.values("client-request-id") == [session.client_request_id]
    assert request.values("return-client-request-id") == ["true"]
    assert request.values("prefer") == ['IdType="ImmutableId"']
    assert request.values("host") == [f"localhost:{server.port}"]
    names = {line.partition(b":")[0].lower() for line in request.head.split(b"\r\n")[1:] if line}
    assert not names & {b"accept-encoding", b"cookie", b"connection", b"expect"}


async def test_no_cookie_is_kept() -> None:
    async with scripted(answers(http(202, b"", "Set-Cookie: a=b; Path=/"))) as server:
        session = await server.session()
        for _ in range(2):
            await send(session)
    assert [request.values("cookie") for request in server.heard] == [[], []]


@pytest.mark.parametrize("size", [0, 1, 2, 3, 49_151, 49_152, 49_153, 3_000_001])
async def test_every_size_arrives_whole(size: int) -> None:
    octets = bytes(i * 7 % 256 for i in range(size))
    async with scripted(answers(http(202))) as server:
        assert isinstance(await send(await server.session(), Octets(octets)), Relayed)
    assert base64.b64decode(server.heard[0].body, validate=True) == octets


# Connections ---------------------------------------------------------------------------------


async def test_connections_are_kept_and_used_again() -> None:
    async with scripted(answers(http(202))) as server:
        session = await server.session()
        for _ in range(5):
            assert isinstance(await send(session), Relayed)
    assert server.connections == 1


async def test_a_connection_that_the_other_side_closed_meanwhile_is_not_used_again() -> None:
    async def one_answer(wire: Wire) -> None:
        await wire.request()
        await wire.say(http(202))

    async with scripted(one_answer) as server:
        session = await server.session()
        assert isinstance(await send(session), Relayed)
        await all_closed(session)
        assert isinstance(await send(session), Relayed)
    assert server.connections == 2


async def test_an_old_connection_is_not_used_again() -> None:
    async with scripted(answers(http(202))) as server:
        session = await server.session(Timeouts(idle=timedelta(seconds=-1)))
        await send(session)
        await send(session)
    assert server.connections == 2


async def test_connection_close_is_honoured() -> None:
    async with scripted(answers(http(202, b"", "Connection: close"))) as server:
        session = await server.session()
        await send(session)
        assert isinstance(await send(session), Relayed)
    assert server.connections == 2


CHUNKED = b"HTTP/1.1 413 X\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n%b\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        http(202),
        http(202, b"a body\r\n\r\nof two parts"),
        http(100) + http(202),
        CHUNKED.replace(b"413", b"202") % (5, b"12345", b""),
        CHUNKED.replace(b"413", b"202") % (4, b"\r\n\r\n", b"Trailer: x\r\n"),
    ],
)
async def test_octets_that_nobody_asked_for_end_a_connection(answer: bytes) -> None:
    async with scripted(answers(answer + http(500))) as server:
        session = await server.session()
        assert isinstance(await send(session), Relayed)
        assert isinstance(await send(session), Relayed)
    assert server.connections == 2


async def test_an_answer_that_comes_after_the_answer_is_not_taken_for_the_next_one() -> None:
    async def twice(wire: Wire) -> None:
        await wire.request()
        await wire.say(http(503))
        await answered.wait()
        await wire.say(http(202))
        await wire.reader.read()

    answered = asyncio.Event()
    async with scripted(twice) as server:
        session = await server.session()
        assert isinstance(await send(session), Delayed)
        answered.set()
        await all_closed(session)
        assert isinstance(await send(session), Delayed)
    assert server.connections == 2


async def test_no_more_than_four_requests_are_in_flight_in_a_lane() -> None:
    inside = 0
    most = 0
    go = asyncio.Event()

    async def count(wire: Wire) -> None:
        nonlocal inside, most
        while True:
            await wire.request()
            inside += 1
            most = max(most, inside)
            if inside == 4:
                go.set()
            await go.wait()
            inside -= 1
            await wire.say(http(202))

    async with scripted(count) as server:
        graph = server.graph()
        sessions = [await session_of(graph) for _ in range(12)]
        outcomes = await asyncio.gather(*map(send, sessions))
    assert all(isinstance(outcome, Relayed) for outcome in outcomes)
    assert most == 4


# Before the request is out -------------------------------------------------------------------


async def test_nobody_listening_is_delayed() -> None:
    async with scripted(answers(http(202))) as server:
        pass
    outcome = await send(await server.session())
    await server.clients[0].aclose()
    assert isinstance(outcome, Delayed)
    assert outcome.status == "4.4.1"
    assert "could not be reached" in outcome.reason


async def test_an_untrusted_certificate_is_delayed_and_the_token_stays_here() -> None:
    async with scripted(answers(http(202))) as server:
        outcome = await send(await session_of(server.graph(tls=client_context())))
    assert isinstance(outcome, Delayed)
    assert outcome.status == "4.7.5"
    assert "is not trusted" in outcome.reason
    assert server.heard == []


async def test_a_certificate_for_another_host_is_delayed() -> None:
    async with scripted(answers(http(202))) as server:
        outcome = await send(await session_of(server.graph(host="127.0.0.1")))
    assert isinstance(outcome, Delayed)
    assert outcome.status == "4.7.5"


async def test_a_server_without_tls_is_delayed() -> None:
    async def greet(wire: Wire) -> None:
        await wire.say(b"220 mail.example.org ESMTP\r\n")

    async with scripted(greet, tls=False) as server:
        outcome = await send(await server.session())
    assert isinstance(outcome, Delayed)


async def test_a_name_that_does_not_exist_is_delayed() -> None:
    async with scripted(answers(http(202))) as server:
        outcome = await send(await session_of(server.graph(host="no-such-host.invalid")))
    assert isinstance(outcome, Delayed)
    assert "no-such-host.invalid could not be reached" in outcome.reason


async def test_a_connection_cut_in_the_middle_of_the_body_is_delayed_not_uncertain() -> None:
    async def cut_early(wire: Wire) -> None:
        await wire.head()
        await wire.reader.readexactly(100_000)
        wire.cut()

    async with scripted(cut_early) as server:
        outcome = await send(await server.session(), HUGE)
    assert isinstance(outcome, Delayed)
    assert outcome.status == "4.4.2"


async def test_a_connection_that_broke_before_the_last_piece_is_delayed_not_uncertain() -> None:
    async def cut(wire: Wire) -> None:
        wire.cut()

    class Slow(Octets):
        async def chunks(self) -> AsyncIterator[bytes]:
            yield self.octets[:10]
            await all_closed(session)
            yield self.octets[10:]

    async with scripted(cut) as server:
        session = await server.session()
        outcome = await send(session, Slow(SMALL.octets))
    assert isinstance(outcome, Delayed)
    assert outcome.status == "4.4.2"


async def test_nothing_but_the_spool_tries_again() -> None:
    async def hang_up(wire: Wire) -> None:
        wire.cut()

    async with scripted(hang_up, tls=False) as server:
        assert isinstance(await send(await server.session()), Delayed)
    assert server.connections == 1


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_no_request_is_made_twice_because_a_kept_connection_broke(method: str) -> None:
    async def one_answer(wire: Wire) -> None:
        await wire.request()
        await wire.say(http(200))
        await wire.request()
        wire.cut()

    async with scripted(one_answer) as server:
        session = await server.session()
        assert (await session.request(method, "/me/x")).status == 200
        assert isinstance((await session.request(method, "/me/x")).outcome, Uncertain)
    assert server.connections == 1
    assert len(server.heard) == 2
    lengths = [request.values("content-length") for request in server.heard]
    assert lengths == [[], []]


async def test_a_server_that_stops_reading_is_delayed() -> None:
    stuck = asyncio.Event()

    async def stop_reading(wire: Wire) -> None:
        await wire.head()
        wire.reader._transport.pause_reading()  # type: ignore[attr-defined]
        await stuck.wait()

    async with scripted(stop_reading) as server:
        outcome = await send(await server.session(QUICK), HUGE)
        stuck.set()
    assert isinstance(outcome, Delayed)
    assert outcome.reason == "the other side stopped reading"


@pytest.mark.parametrize("said", [10, -10])
async def test_a_body_of_another_length_than_it_says_is_never_sent_whole(said: int) -> None:
    source = Octets(LARGE.octets, size=LARGE.size + said)
    async with scripted(answers(http(202))) as server:
        with pytest.raises(BodyChanged):
            await send(await server.session(), source)
    assert server.heard == []


async def test_a_body_that_cannot_be_read_is_the_callers_trouble_and_breaks_the_request() -> None:
    class Broken(Octets):
        async def chunks(self) -> AsyncIterator[bytes]:
            yield self.octets[:200_000]
            raise OSError("disk on fire")

    async with scripted(answers(http(202))) as server:
        session = await server.session()
        with pytest.raises(OSError, match="disk on fire"):
            await send(session, Broken(LARGE.octets))
        assert isinstance(await send(session), Relayed)
    assert len(server.heard) == 1


# An early answer -----------------------------------------------------------------------------


async def test_a_refusal_while_we_still_write_is_used() -> None:
    async def refuse_early(wire: Wire) -> None:
        await wire.head()
        await wire.say(http(413, TOO_LARGE, "Connection: close"))

    async with scripted(refuse_early) as server:
        outcome = await send(await server.session(), HUGE)
    assert isinstance(outcome, Failed)
    assert outcome.status == "5.3.4"
    assert outcome.answer.code == "RequestEntityTooLarge"


@pytest.mark.parametrize(("status", "outcome"), [(401, Paused), (429, Delayed)])
async def test_every_refusal_while_we_still_write_is_used(status: int, outcome: type) -> None:
    async def refuse_early(wire: Wire) -> None:
        await wire.reader.readexactly(1_000_000)
        await wire.say(http(status))

    async with scripted(refuse_early) as server:
        session = await server.session()
        result = await send(session, HUGE)
        assert isinstance(result, outcome)
        assert isinstance(result, Paused | Delayed)
        assert result.answer.http_status == status


async def test_what_is_no_http_while_we_still_write_is_delayed() -> None:
    async def babble(wire: Wire) -> None:
        await wire.head()
        await wire.say(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        await wire.reader.read()

    async with scripted(babble) as server:
        outcome = await send(await server.session(), HUGE)
    assert isinstance(outcome, Delayed)
    assert "not an HTTP answer" in outcome.reason


async def test_a_refusal_by_a_server_that_never_reads_is_used() -> None:
    stuck = asyncio.Event()

    async def refuse_and_stop_reading(wire: Wire) -> None:
        await wire.head()
        wire.reader._transport.pause_reading()  # type: ignore[attr-defined]
        await wire.say(http(413, TOO_LARGE))
        await stuck.wait()

    async with scripted(refuse_and_stop_reading) as server:
        outcome = await send(await server.session(), HUGE)
        stuck.set()
    assert isinstance(outcome, Failed)


async def test_after_an_early_refusal_the_connection_is_not_used_again() -> None:
    async def refuse_then_accept(wire: Wire) -> None:
        await wire.head()
        await wire.say(http(413, TOO_LARGE))
        await wire.reader.read()

    async with scripted(refuse_then_accept) as server:
        session = await server.session()
        await send(session, HUGE)
        await send(session, HUGE)
    assert server.connections == 2


async def test_a_success_while_we_still_write_does_not_stop_the_writing() -> None:
    async def hurry(wire: Wire) -> None:
        head = await wire.head()
        await wire.say(http(202))
        length = int(Heard(head, b"").values("content-length")[0])
        wire.heard.append(Heard(head, await wire.reader.readexactly(length)))

    async with scripted(hurry) as server:
        assert isinstance(await send(await server.session(), HUGE), Relayed)
    assert len(server.heard) == 1


async def test_an_informational_answer_is_not_the_answer() -> None:
    async def go_on(wire: Wire) -> None:
        await wire.head()
        await wire.say(b"HTTP/1.1 100 Continue\r\n\r\n")
        await wire.reader.readexactly(4_096_000)
        await wire.say(http(202))

    async with scripted(go_on) as server:
        assert isinstance(await send(await server.session(), LARGE), Relayed)


# After the request is out --------------------------------------------------------------------


async def test_a_connection_cut_after_the_body_is_uncertain() -> None:
    async def cut_late(wire: Wire) -> None:
        await wire.request()
        wire.cut()

    async with scripted(cut_late) as server:
        session = await server.session()
        outcome = await send(session, LARGE)
    assert isinstance(outcome, Uncertain)
    assert outcome.answer.client_request_id == session.client_request_id


async def test_a_connection_closed_in_order_without_an_answer_is_uncertain() -> None:
    async def close(wire: Wire) -> None:
        await wire.request()
        wire.writer.close()
        await wire.writer.wait_closed()

    async with scripted(close) as server:
        outcome = await send(await server.session())
    assert isinstance(outcome, Uncertain)


async def test_no_answer_in_time_is_uncertain() -> None:
    silent = asyncio.Event()

    async def say_nothing(wire: Wire) -> None:
        await wire.request()
        await silent.wait()

    async with scripted(say_nothing) as server:
        outcome = await send(await server.session(QUICK))
        silent.set()
    assert isinstance(outcome, Uncertain)
    assert outcome.reason.startswith("no answer within")


async def test_an_answer_that_is_not_http_is_uncertain() -> None:
    async with scripted(answers(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")) as server:
        outcome = await send(await server.session())
    assert isinstance(outcome, Uncertain)
    assert "not an HTTP answer" in outcome.reason


async def test_half_a_status_line_is_uncertain() -> None:
    async def stutter(wire: Wire) -> None:
        await wire.request()
        await wire.say(b"HTTP/1.1 20")
        wire.cut()

    async with scripted(stutter) as server:
        outcome = await send(await server.session())
    assert isinstance(outcome, Uncertain)


async def test_a_status_counts_even_if_the_rest_of_the_answer_is_lost() -> None:
    async def break_off(wire: Wire) -> None:
        await wire.request()
        await wire.say(b"HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\nhalf")
        wire.cut()

    async with scripted(break_off) as server:
        assert isinstance(await send(await server.session()), Relayed)


async def test_a_status_counts_even_if_the_rest_of_the_answer_never_comes() -> None:
    silent = asyncio.Event()

    async def fall_silent(wire: Wire) -> None:
        await wire.request()
        await wire.say(b"HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\nhalf")
        await silent.wait()

    async with scripted(fall_silent) as server:
        assert isinstance(await send(await server.session(QUICK)), Relayed)
        silent.set()


async def test_an_endless_answer_is_cut_short() -> None:
    body = json.dumps({"error": {"code": "ErrorServerBusy", "message": "x" * 5_000_000}}).encode()
    async with scripted(answers(http(503, body))) as server:
        outcome = await send(await server.session())
    assert isinstance(outcome, Delayed)
    assert len(outcome.answer.message) <= 1000


async def test_a_body_without_an_end_is_hung_up_on() -> None:
    sent = 0

    async def endless(wire: Wire) -> None:
        nonlocal sent
        await wire.request()
        await wire.say(b"HTTP/1.1 503 Busy\r\n\r\n")
        while True:
            await wire.say(b"x" * 16_384)
            sent += 16_384

    async with scripted(endless) as server:
        assert isinstance(await send(await server.session()), Delayed)
        async with asyncio.timeout(5):
            await server.done.wait()
    assert sent < 8_000_000  # what the buffers on the way hold


async def test_informational_answers_without_an_end_are_hung_up_on() -> None:
    async def endless(wire: Wire) -> None:
        await wire.request()
        while True:
            await wire.say(b"HTTP/1.1 102 Processing\r\n\r\n" * 100)

    async with asyncio.timeout(10), scripted(endless) as server:
        outcome = await send(await server.session())
        assert isinstance(outcome, Uncertain)
        assert "did not begin within 64 kB" in outcome.reason
        await server.done.wait()


async def test_informational_answers_without_an_end_stop_a_request_on_its_way() -> None:
    async def endless(wire: Wire) -> None:
        await wire.head()
        while True:
            await wire.say(b"HTTP/1.1 102 Processing\r\n\r\n" * 100)

    async with asyncio.timeout(10), scripted(endless) as server:
        outcome = await send(await server.session(), Octets(b"x" * 20_000_000))
    assert isinstance(outcome, Delayed)


@pytest.mark.parametrize("encoding", ["gzip", "X-GZIP", "deflate"])
async def test_an_error_that_comes_compressed_is_read(encoding: str) -> None:
    wbits = zlib.MAX_WBITS + (16 if "gzip" in encoding.lower() else 0)
    body = zlib.compress(TOO_LARGE, wbits=wbits)
    async with scripted(answers(http(413, body, f"Content-Encoding: {encoding}"))) as server:
        outcome = await send(await server.session())
    assert isinstance(outcome, Failed)
    assert outcome.answer.code == "RequestEntityTooLarge"


@pytest.mark.parametrize("body", [zlib.compress(b" " * 60_000_000, wbits=31), b"no gzip"])
async def test_a_compressed_error_is_unpacked_to_64_kb_at_most(body: bytes) -> None:
    async with scripted(answers(http(503, body, "Content-Encoding: gzip"))) as server:
        tracemalloc.start()
        try:
            assert isinstance(await send(await server.session()), Delayed)
            assert tracemalloc.get_traced_memory()[1] < 5_000_000
        finally:
            tracemalloc.stop()


async def test_an_answer_in_single_bytes_is_the_same_answer() -> None:
    async def drip(wire: Wire) -> None:
        await wire.request()
        for byte in http(413, TOO_LARGE):
            await wire.say(bytes([byte]))
            await asyncio.sleep(0)

    async with scripted(drip) as server:
        outcome = await send(await server.session())
    assert isinstance(outcome, Failed)
    assert outcome.answer.code == "RequestEntityTooLarge"


async def test_a_chunked_answer_and_one_that_ends_with_the_connection_are_read() -> None:
    async with scripted(answers(CHUNKED % (len(TOO_LARGE), TOO_LARGE, b""))) as server:
        session = await server.session()
        for _ in range(2):
            outcome = await send(session)
    assert server.connections == 1
    assert isinstance(outcome, Failed)
    assert outcome.answer.code == "RequestEntityTooLarge"

    async def until_the_end(wire: Wire) -> None:
        await wire.request()
        await wire.say(b"HTTP/1.1 413 X\r\n\r\n" + TOO_LARGE)
        wire.writer.close()

    async with scripted(until_the_end) as server:
        outcome = await send(await server.session())
    assert isinstance(outcome, Failed)
    assert outcome.answer.code == "RequestEntityTooLarge"


@pytest.mark.parametrize("place", ["https://evil.example/", "https://[", "\xff", "//:x"])
async def test_a_redirect_is_not_followed(place: str) -> None:
    async with scripted(answers(http(307, b"", f"Location: {place}"))) as server:
        outcome = await send(await server.session())
    assert isinstance(outcome, Delayed)
    assert len(server.heard) == 1


async def test_a_retry_reads_the_message_from_its_start() -> None:
    source = Octets(LARGE.octets)
    async with scripted(answers(http(503), http(202))) as server:
        session = await server.session()
        assert isinstance(await send(session, source), Delayed)
        assert isinstance(await send(session, source), Relayed)
    assert source.reads == 2
    assert server.heard[0].body == server.heard[1].body


async def test_a_cancelled_request_leaves_nothing_open() -> None:
    arrived = asyncio.Event()
    silent = asyncio.Event()

    async def say_nothing(wire: Wire) -> None:
        await wire.request()
        arrived.set()
        await silent.wait()

    async with scripted(say_nothing) as server:
        session = await server.session()
        sending = asyncio.create_task(send(session))
        await arrived.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        silent.set()


async def test_requests_that_are_cancelled_at_any_moment_do_not_use_up_the_lane() -> None:
    async with scripted(answers(http(202))) as server:
        limits = Timeouts(connect=timedelta(seconds=2))
        session = await session_of(server.graph(limits, concurrency=1))
        for turns in list(range(40)) * 6:
            sending = asyncio.create_task(send(session))
            for _ in range(turns):
                await asyncio.sleep(0)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        assert isinstance(await send(session), Relayed)


async def test_who_asked_for_a_connection_in_vain_does_not_end_it_for_who_has_it() -> None:
    go_on = asyncio.Event()

    async def script(wire: Wire) -> None:
        while True:
            if len((await wire.request()).body) > 100:
                await go_on.wait()
            await wire.say(http(202))

    async with scripted(script) as server:
        session = await server.session()
        await send(session)  # leaves a connection, which the next two request at the same time
        slow = asyncio.create_task(send(session, Octets(bytes(1000))))
        others = [asyncio.create_task(send(session)) for _ in range(2)]
        assert all(isinstance(outcome, Relayed) for outcome in await asyncio.gather(*others))
        await send(session)
        go_on.set()
        assert isinstance(await slow, Relayed)


# Through a proxy -----------------------------------------------------------------------------


async def forward(wire: Wire, port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
        sink.close()

    try:
        await asyncio.gather(copy(wire.reader, writer), copy(reader, wire.writer))
    finally:
        writer.close()


@pytest.mark.parametrize("tls", [False, True])
async def test_a_proxy_opens_a_tunnel_and_sees_only_the_hosts_name(tls: bool) -> None:
    heads: list[bytes] = []

    async with scripted(answers(http(202))) as server:

        async def tunnel(wire: Wire) -> None:
            heads.append(await wire.head())
            await wire.say(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await forward(wire, server.port)

        async with scripted(tunnel, tls=tls) as proxy:
            scheme = "https" if tls else "http"
            url = f"{scheme}://relay:p%40ss@localhost:{proxy.port}"
            graph = server.graph(proxy=Proxy.parse(url))
            for _ in range(2):
                assert isinstance(await send(await session_of(graph), LARGE), Relayed)
            await graph.aclose()
    [head] = heads
    login = base64.b64encode(b"relay:p@ss").decode()
    assert head.startswith(f"CONNECT localhost:{server.port} HTTP/1.1\r\n".encode())
    assert f"Proxy-Authorization: Basic {login}\r\n".encode() in head
    assert TOKEN.encode() not in head


async def test_a_proxy_that_refuses_is_delayed_and_named() -> None:
    async with scripted(answers(http(407)), tls=False) as proxy:
        graph = proxy.graph(proxy=Proxy.parse(f"http://localhost:{proxy.port}"))
        outcome = await send(await session_of(graph))
    assert isinstance(outcome, Delayed)
    assert outcome.reason == "the proxy localhost answered 407"


async def test_a_proxy_that_hangs_up_is_delayed_and_named() -> None:
    async def hang_up(wire: Wire) -> None:
        await wire.head()

    async with scripted(hang_up, tls=False) as proxy:
        graph = proxy.graph(proxy=Proxy.parse(f"http://localhost:{proxy.port}"))
        outcome = await send(await session_of(graph))
    assert isinstance(outcome, Delayed)
    assert outcome.reason.startswith("the proxy localhost: ")
    assert outcome.status == "4.4.1"


async def test_tunnels_that_lead_nowhere_do_not_use_up_the_lane() -> None:
    bad = 20

    async def tunnel(wire: Wire) -> None:
        nonlocal bad
        await wire.head()
        await wire.say(b"HTTP/1.1 200 Connection established\r\n\r\n")
        if bad:
            bad -= 1
            await wire.say(b"this is not TLS, whatever you may think of it\r\n")
        else:
            await forward(wire, server.port)

    async with (
        scripted(answers(http(202))) as server,
        scripted(tunnel, tls=False) as proxy,
    ):
        session = await session_of(
            server.graph(proxy=Proxy.parse(f"http://localhost:{proxy.port}"))
        )
        for _ in range(20):
            assert isinstance(await send(session), Delayed)
        assert isinstance(await send(session), Relayed)
        await server.clients[0].aclose()


async def test_a_proxy_that_never_answers_is_delayed_in_time() -> None:
    async def listen(wire: Wire) -> None:
        await wire.reader.read()

    async with scripted(listen, tls=False) as proxy:
        quick = Timeouts(connect=timedelta(milliseconds=100))
        graph = proxy.graph(quick, proxy=Proxy.parse(f"http://localhost:{proxy.port}"))
        outcome = await send(await session_of(graph))
    assert isinstance(outcome, Delayed)
    assert outcome.reason == "the proxy localhost could not be reached within 0 s"


async def test_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://proxy.invalid:1")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, "/nonexistent/file")
    assert isinstance(client_context(), ssl.SSLContext)
    async with scripted(answers(http(202))) as server:
        assert isinstance(await send(await server.session()), Relayed)
