"""The one deadline of an exchange, which is extended as the request makes progress, and how far it
got."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, cast

import aiohttp
import pytest
from aiohttp.abc import AbstractStreamWriter
from yarl import URL

from graphrelay.graph.http.exchange import HttpAttempt, HttpResult, Lost, NotSent, Request, Timeouts
from tests.graph.scripted import Octets

REQUEST = Request("POST", URL("https://graph.example/v1.0/me/sendMail"), {}, 3)
BRIEF = Timeouts(
    connect=timedelta(milliseconds=10),
    stall=timedelta(milliseconds=10),
    answer=timedelta(milliseconds=10),
)


class Written:
    """Where a body is written; `ends_before` is the number of the write that finds the connection
    closed."""

    def __init__(self, ends_before: int = 1000) -> None:
        self.writes: list[bytes] = []
        self._ends_before = ends_before
        self.drains: asyncio.Future[None] | None = None

    @property
    def transport(self) -> "Written | None":
        return None if len(self.writes) >= self._ends_before else self

    def is_closing(self) -> bool:
        return False

    async def write(self, chunk: bytes) -> None:
        if self.transport is None:
            raise aiohttp.ClientConnectionResetError("closed")
        self.writes.append(chunk)

    async def drain(self) -> None:
        if self.drains is not None:
            await self.drains


class Session:
    """aiohttp's, which stops answering or breaks at a given point: before it is connected, or once
    the body is written."""

    def __init__(self, writer: Written | None) -> None:
        self._writer = writer
        self.silent = True

    async def request(self, *_: Any, data: aiohttp.Payload, **__: Any) -> aiohttp.ClientResponse:
        if self._writer is not None:
            try:
                await data.write_with_length(cast(AbstractStreamWriter, self._writer), None)
            except OSError as error:
                raise aiohttp.ClientConnectionError("broken") from error
        if self.silent:
            await asyncio.Future[None]()
        raise aiohttp.ClientConnectionError("broken")


async def attempt(
    session: Session, pieces: AsyncIterator[bytes], request: Request = REQUEST
) -> HttpResult:
    attempt = HttpAttempt(request, pieces, "graph.example", BRIEF)
    return await attempt.over(cast(aiohttp.ClientSession, session))


async def test_no_connection_in_time_is_not_sent() -> None:
    result = await attempt(Session(None), Octets(b"123").chunks())
    assert result == NotSent("graph.example could not be reached within 0 s", "4.4.1")


async def test_no_answer_in_time_is_lost() -> None:
    result = await attempt(Session(Written()), Octets(b"123").chunks())
    assert result == Lost("no answer within 0 s")


async def test_a_body_may_take_longer_than_a_connection_or_an_answer() -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"12"
        await asyncio.sleep(0.05)
        yield b"3"

    session = Session(Written())
    session.silent = False
    assert await attempt(session, slow()) == Lost("broken")


async def test_a_piece_that_does_not_drain_in_time_is_not_sent() -> None:
    writer = Written()
    writer.drains = asyncio.get_running_loop().create_future()
    octets = Octets(b"x" * 200_000)
    result = await attempt(Session(writer), octets.chunks(), _of(octets))
    assert result == NotSent("the other side stopped reading")


async def test_small_pieces_go_out_together() -> None:
    writer = Written()
    octets = Octets(b"x" * 50_000)
    await attempt(Session(writer), octets.chunks(), _of(octets))
    assert writer.writes == [octets.octets]


async def test_the_last_piece_waits_until_all_before_it_have_drained() -> None:
    writer, octets = Written(), Octets(b"x" * 200_000)
    writer.drains = asyncio.get_running_loop().create_future()
    await attempt(Session(writer), octets.chunks(), _of(octets))
    assert [len(piece) for piece in writer.writes] == [90_000]

    writer = Written()
    await attempt(Session(writer), octets.chunks(), _of(octets))
    assert [len(piece) for piece in writer.writes] == [90_000, 90_000, 20_000]


@pytest.mark.parametrize(("ends_before", "lost"), [(0, False), (1, False), (2, False), (3, True)])
async def test_only_a_connection_that_took_the_last_piece_may_have_sent_the_message(
    ends_before: int, lost: bool
) -> None:
    session, octets = Session(Written(ends_before)), Octets(b"x" * 200_000)
    session.silent = False
    result = await attempt(session, octets.chunks(), _of(octets))
    assert isinstance(result, Lost if lost else NotSent)


async def test_a_body_that_ends_in_nothing_went_out_whole_all_the_same() -> None:
    async def ends_in_nothing() -> AsyncIterator[bytes]:
        yield b"123"
        yield b""

    session = Session(Written())
    session.silent = False
    assert await attempt(session, ends_in_nothing()) == Lost("broken")


def _of(octets: Octets) -> Request:
    return Request("POST", REQUEST.url, {}, octets.size)
