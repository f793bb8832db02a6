"""Entra through a proxy: every request, and no answer of the proxy is mistaken for Entra's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field, replace

import pytest

from graphrelay.oauth.answers import EntraUnreachable, Granted
from graphrelay.oauth.sign_in.authorizer import Stored
from tests.oauth.conftest import DAEMON, World


@dataclass
class Proxy:
    """Tunnels (RFC 9110 section 9.3.6), and remembers to where."""

    port: int = 0
    tunnels: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    refuse: bytes = b""

    @property
    def url(self) -> str:
        return f"http://relay:pass@127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
        target = head[0].split(" ")[1]
        self.tunnels.append(target)
        self.logins += [line for line in head if line.lower().startswith("proxy-authorization")]
        with suppress(OSError):
            if self.refuse:
                writer.write(self.refuse)
            else:
                await self._tunnel(target, reader, writer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async def _tunnel(
        self, target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        host, _, port = target.rpartition(":")
        there, here = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(_copy(reader, here), _copy(there, writer))
        here.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while octets := await source.read(65536):
            target.write(octets)
            await target.drain()
    target.close()


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    proxy = Proxy()
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    async with server:
        yield proxy


async def test_every_request_goes_through_the_proxy(world: World, proxy: Proxy) -> None:
    manager = world.manager(DAEMON, http=replace(world.http(), proxy=proxy.url))
    assert isinstance(await world.authorize(manager, DAEMON), Stored)
    assert isinstance(await manager.token("daemon", fresh=True), Granted)
    assert len(proxy.tunnels) == len(world.cloud.requests) == 3
    assert set(proxy.tunnels) == {world.cloud.login_url.removeprefix("https://")}
    assert len(proxy.logins) == 3


@pytest.mark.parametrize(
    "refusal",
    [
        b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nno",
        b"not even HTTP\r\n\r\n",
    ],
)
async def test_a_proxy_that_refuses_is_no_refusal_of_entra(
    world: World, proxy: Proxy, refusal: bytes
) -> None:
    proxy.refuse = refusal
    manager = world.manager(DAEMON, http=replace(world.http(), proxy=proxy.url))
    result = await world.authorize(manager, DAEMON)
    assert isinstance(result, EntraUnreachable), result
    assert "pass" not in result.reason
    assert "cannot be reached" in result.reason


async def test_a_proxy_that_is_not_there_is_named(world: World) -> None:
    http = replace(world.http(), proxy="http://relay:pass@127.0.0.1:1")
    result = await world.authorize(world.manager(DAEMON, http=http), DAEMON)
    assert isinstance(result, EntraUnreachable)
    assert "the proxy 127.0.0.1:1: " in result.reason
    assert "pass" not in result.reason
