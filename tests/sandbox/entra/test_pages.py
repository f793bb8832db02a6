"""The pages in a real browser, which is independent of this project."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from graphrelay.sandbox import Principal, Sandbox
from graphrelay.sandbox.directory import PUBLIC_CLIENT
from tests.sandbox.entra.client import Client, answer_of
from tests.sandbox.page.browser import Tab, browser
from tests.tools import needs


@asynccontextmanager
async def application() -> AsyncIterator[tuple[int, asyncio.Future[str]]]:
    """A loopback listener as programs open it: its port, and what the browser sends."""
    brought: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def listener(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = (await reader.readline()).decode().partition(" ")[2].split(" ")[0]
        length = 0
        while (line := await reader.readline()).strip():
            name, _, value = line.decode().partition(":")
            length = int(value) if name.casefold() == "content-length" else length
        form = (await reader.readexactly(length)).decode()
        if address and not brought.done():
            brought.set_result(f"/?{form}" if form else address)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(listener, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], brought


async def appears(tab: Tab, selector: str) -> None:
    """Wait for a page with this element; leaving a page ends its promises."""
    while True:
        try:
            await tab.until(f"document.querySelector({selector!r})?.isConnected")
        except AssertionError:
            continue
        return


async def click(tab: Tab, selector: str) -> None:
    await tab.evaluate(f"void setTimeout(() => document.querySelector({selector!r}).click())")


async def typed(tab: Tab, selector: str, text: str) -> None:
    await tab.evaluate(f"document.querySelector({selector!r}).focus()")
    await tab.call("Input.insertText", text=text)


@pytest.mark.parametrize("mode", ["query", "form_post"])
async def test_chromium_signs_in_and_brings_the_code(
    cloud: Sandbox, client: Client, tmp_path: Path, mode: str
) -> None:
    needs("chromium")
    async with application() as (port, brought), browser(tmp_path / "profile") as tab:
        redirect = f"http://localhost:{port}/"
        await tab.call("Security.setIgnoreCertificateErrors", ignore=True)
        await tab.open(client.authorize_url(redirect_uri=redirect, response_mode=mode))
        await appears(tab, "#email")
        await typed(tab, "#email", "wp@contoso.com")
        await typed(tab, "#password", "pass")
        await click(tab, "#sign-in")
        await appears(tab, "#accept")
        await click(tab, "#accept")
        answer = answer_of(await asyncio.wait_for(brought, 30))
        body = (await client.redeem(answer["code"], redirect_uri=redirect)).json()
        assert tab.problems == []
    assert isinstance(cloud.tokens.principal_of(body["access_token"]), Principal)
    hosts = {url.split("/")[2].partition(":")[0] for url in tab.requests if "://" in url}
    assert hosts == {"localhost"}


async def test_chromium_shows_an_error_where_no_redirect_is_trusted(
    client: Client, tmp_path: Path
) -> None:
    needs("chromium")
    async with browser(tmp_path / "profile") as tab:
        await tab.call("Security.setIgnoreCertificateErrors", ignore=True)
        await tab.open(client.authorize_url(redirect_uri="https://evil.example.com/"))
        await appears(tab, "#error")
        assert "AADSTS50011" in await tab.evaluate("document.querySelector('#error').innerText")
        assert PUBLIC_CLIENT in await tab.evaluate("document.body.innerText")
