"""The visitor, which takes the place of a browser."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.directory import PUBLIC_CLIENT
from graphrelay.sandbox.visitor import Lost, Visitor


@pytest.fixture
async def cloud() -> AsyncIterator[Sandbox]:
    async with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
async def visitor(cloud: Sandbox) -> AsyncIterator[Visitor]:
    async with Visitor(cloud.ca_file) as somebody:
        yield somebody


def url(cloud: Sandbox, port: int, mode: str = "query") -> str:
    return (
        f"{cloud.login_url}/contoso.com/oauth2/v2.0/authorize?client_id={PUBLIC_CLIENT}"
        f"&response_type=code&redirect_uri=http://localhost:{port}/&scope=Mail.Send"
        f"&state=s&response_mode={mode}"
    )


@pytest.mark.parametrize(("mode", "method"), [("query", "GET"), ("form_post", "POST")])
async def test_following_the_redirect_reaches_the_application(
    cloud: Sandbox, visitor: Visitor, mode: str, method: str
) -> None:
    heard: list[str] = []

    async def listener(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(listener, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        landing = await visitor.sign_in(url(cloud, port, mode), "wp@contoso.com", follow=True)
    assert heard[0].startswith(f"{method} /")
    assert landing.startswith(f"http://localhost:{port}/?code=")


async def test_it_says_where_it_got_lost(cloud: Sandbox, visitor: Visitor) -> None:
    with pytest.raises(Lost, match="AADSTS50126") as lost:
        await visitor.sign_in(url(cloud, 1), "wp@contoso.com", "wrong")
    assert "password" in lost.value.page.ids


async def test_a_device_code_that_nobody_gave_out_leads_nowhere(
    cloud: Sandbox, visitor: Visitor
) -> None:
    with pytest.raises(Lost, match="didn't work"):
        await visitor.enter_device_code(f"{cloud.login_url}/devicelogin", "X", "wp@contoso.com")
