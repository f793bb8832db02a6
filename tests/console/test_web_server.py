"""It listens at once, and loads what answers with the first client."""

import asyncio

import aiohttp
import pytest
from aiohttp import web

from graphrelay.console.options import WebAddress
from graphrelay.console.web_server import WebServer
from graphrelay.journal import Entry, Journal
from graphrelay.smtp.access.listener import Listener
from tests.clock import FakeClock

WHERE = WebAddress(listener=Listener(address="127.0.0.1:0"))


async def test_what_answers_is_loaded_with_the_first_client() -> None:
    loaded = list[web.Application]()

    async def hello(_: web.Request) -> web.Response:
        return web.Response(text="hello")

    def load() -> web.Application:
        loaded.append(app := web.Application())
        app.router.add_get("/", hello)
        return app

    clock, entries = FakeClock(), list[Entry]()
    server = WebServer("console", lambda: WHERE, load, Journal(clock, entries.append), clock)
    assert server.address == ""
    await server.open()
    running = asyncio.create_task(server.run())
    await asyncio.sleep(0.01)
    assert loaded == []
    async with aiohttp.ClientSession() as session:
        for _ in range(2):
            async with session.get(f"http://{server.address}/") as answer:
                assert await answer.text() == "hello"
    assert len(loaded) == 1
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert server.address == "", "and its sockets are closed"


async def test_it_ends_while_nobody_has_come() -> None:
    server = WebServer("metrics", lambda: WHERE, web.Application, Journal(FakeClock()), FakeClock())
    await server.open()
    running = asyncio.create_task(server.run())
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert server.address == ""


async def test_an_error_that_no_page_caught_is_one_line_in_the_journal(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken(_: web.Request) -> web.Response:
        raise ZeroDivisionError("2\n3")

    def load() -> web.Application:
        app = web.Application()
        app.router.add_get("/", broken)
        return app

    clock, entries = FakeClock(), list[Entry]()
    server = WebServer("metrics", lambda: WHERE, load, Journal(clock, entries.append), clock)
    await server.open()
    running = asyncio.create_task(server.run())
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{server.address}/") as answer,
    ):
        assert answer.status == 500
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert dict(entries[-1].fields) == {"path": "", "reason": "ZeroDivisionError: 2 3"}
    assert not caplog.records
