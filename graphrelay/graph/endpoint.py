"""The way to a host: TLS straight to it, or through a tunnel that an HTTP proxy opens for us.

Either way the TLS session ends at Graph itself, so a proxy sees the host's name and nothing else
(CONNECT, RFC 9110 section 9.3.6). Whatever fails here, nothing has been sent.
"""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from graphrelay.graph.answer import HttpAnswer
from graphrelay.graph.connection import Connection, NotSent, Request, Timeouts

_HAPPY_EYEBALLS = 0.25  # RFC 8305 section 8


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy; `authorization` is the value for Proxy-Authorization, or empty."""

    host: str
    port: int
    tls: bool = False
    authorization: str = ""

    @classmethod
    def parse(cls, url: str) -> "Proxy":
        """From `http://[user:password@]host[:port]`. Raises `ValueError`."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("a proxy must be written http://host:port")
        tls = parts.scheme == "https"
        login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        basic = "Basic " + base64.b64encode(login.encode()).decode() if parts.username else ""
        return cls(parts.hostname, parts.port or (443 if tls else 8080), tls, basic)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where requests go, and how to get there."""

    host: str
    port: int
    tls: ssl.SSLContext
    proxy: Proxy | None
    timeouts: Timeouts

    @classmethod
    def of(
        cls, url: str, tls: ssl.SSLContext, proxy: Proxy | None, timeouts: Timeouts
    ) -> "Endpoint":
        """From a cloud's `https://host[:port]`."""
        parts = urlsplit(url)
        return cls(parts.hostname or "", parts.port or 443, tls, proxy, timeouts)

    @property
    def authority(self) -> str:
        """For the Host header (RFC 9110 section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 443 else f"{host}:{self.port}"

    async def connect(self) -> Connection | NotSent:
        """A fresh connection, ready for requests."""
        limit = self.timeouts.connect.total_seconds()
        try:
            async with asyncio.timeout(limit):
                return await (self._tunnel(self.proxy) if self.proxy else self._direct())
        except TimeoutError:
            return NotSent(f"{self.host} could not be reached within {round(limit)} s", "4.4.1")
        except ssl.SSLCertVerificationError as error:
            what = f"the certificate of {self.host} is not trusted: {error.verify_message}"
            return NotSent(what, "4.7.5")
        except ssl.SSLError as error:
            return NotSent(f"no TLS session with {self.host}: {error.reason or error}", "4.7.5")
        except OSError as error:
            way = f"the proxy {self.proxy.host}" if self.proxy else self.host
            return NotSent(f"{way} could not be reached: {error.strerror or error}", "4.4.1")

    async def _direct(self) -> Connection:
        return await _dial(self.host, self.port, self.tls, self.timeouts)

    async def _tunnel(self, proxy: Proxy) -> Connection | NotSent:
        outer = await _dial(proxy.host, proxy.port, self.tls if proxy.tls else None, self.timeouts)
        try:
            answer = await outer.exchange(self._connect_request(proxy), _no_body())
            if not isinstance(answer, HttpAnswer):
                return NotSent(f"the proxy {proxy.host}: {answer.reason}", "4.4.1")
            if not 200 <= answer.status < 300:
                return NotSent(f"the proxy {proxy.host} answered {answer.status}", "4.4.1")
            return await self._tls_inside(outer)
        except BaseException:
            outer.close()
            raise

    async def _tls_inside(self, outer: Connection) -> Connection:
        inner = Connection(self.timeouts)
        loop = asyncio.get_running_loop()
        transport = await loop.start_tls(
            outer.transport, inner, self.tls, server_hostname=self.host
        )
        if transport is None:
            raise ConnectionResetError("the proxy closed the connection")
        inner.connection_made(transport)
        return inner

    def _connect_request(self, proxy: Proxy) -> Request:
        host = f"[{self.host}]" if ":" in self.host else self.host
        target = f"{host}:{self.port}".encode("ascii")
        headers = [(b"Host", target)]
        if proxy.authorization:
            headers.append((b"Proxy-Authorization", proxy.authorization.encode("ascii")))
        return Request(b"CONNECT", target, headers)


async def _dial(host: str, port: int, tls: ssl.SSLContext | None, timeouts: Timeouts) -> Connection:
    _, connection = await asyncio.get_running_loop().create_connection(
        lambda: Connection(timeouts),
        host,
        port,
        ssl=tls,
        server_hostname=host if tls else None,
        happy_eyeballs_delay=_HAPPY_EYEBALLS,
    )
    return connection


async def _no_body() -> AsyncIterator[bytes]:
    return
    yield
