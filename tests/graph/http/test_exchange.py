"""The one deadline of an exchange, which is moved on as the request gets on."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpcore
import httpx

from graphrelay.graph.http.answer import HttpAnswer
from graphrelay.graph.http.exchange import HttpAttempt, Lost, NotSent, Request, Timeouts
from tests.graph.scripted import Octets

BASE = httpx.URL("https://graph.example")
REQUEST = Request(b"POST", BASE, b"/v1.0/me/sendMail", [], 3)
BRIEF = Timeouts(connect=timedelta(milliseconds=10), answer=timedelta(milliseconds=10))


class Silent(httpx.AsyncBaseTransport):
    """Falls silent at a point of the exchange: before it is connected, or before the answer."""

    def __init__(self, *, connects: bool = True, answers: bool = True) -> None:
        self._connects = connects
        self._answers = answers

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._connects:
            await request.aread()
        if not self._connects or not self._answers:
            await asyncio.Future[None]()
        return httpx.Response(202, stream=_Empty())


class _Empty(httpx.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        return
        yield


async def attempt(
    transport: httpx.AsyncBaseTransport, pieces: AsyncIterator[bytes]
) -> HttpAnswer | NotSent | Lost:
    return await HttpAttempt(REQUEST, pieces, "graph.example", BRIEF).over(transport)


async def test_a_body_may_take_longer_than_a_connection() -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"12"
        await asyncio.sleep(0.05)
        yield b"3"

    result = await attempt(Silent(), slow())
    assert isinstance(result, HttpAnswer)
    assert result.status == 202


async def test_no_connection_in_time_is_not_sent() -> None:
    result = await attempt(Silent(connects=False), Octets(b"123").chunks())
    assert result == NotSent("graph.example could not be reached within 0 s", "4.4.1")


async def test_no_answer_in_time_is_lost() -> None:
    result = await attempt(Silent(answers=False), Octets(b"123").chunks())
    assert isinstance(result, Lost)


class BreaksOnceSent(httpx.AsyncBaseTransport):
    """As `wire`: an empty piece hands over all that was gathered. Then the connection breaks."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        handed_over = False
        async for piece in request.stream:
            if handed_over:
                raise httpcore.WriteError("broken")
            handed_over = not piece
        raise httpcore.ReadError("broken")


async def test_what_went_out_whole_is_lost_even_if_the_body_ends_in_nothing() -> None:
    async def ends_in_nothing() -> AsyncIterator[bytes]:
        yield b"123"
        yield b""

    assert await attempt(BreaksOnceSent(), ends_in_nothing()) == Lost("broken")
