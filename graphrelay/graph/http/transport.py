"""Connections to a host: TLS straight to it, or through a tunnel that an HTTP proxy opens.

Either way the TLS session ends at Graph itself, so a proxy sees the host's name and nothing else
(CONNECT, RFC 9110 section 9.3.6).

`Endpoint.transport` is an httpx transport for one lane over a pool of httpcore: HTTP/1.1, without
what httpx's client would do on top of it. Nothing is taken from the environment, no redirect is
followed, no cookie is kept, and nothing is retried: only the queue decides that.
"""

import base64
import ssl
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from typing import cast
from urllib.parse import unquote, urlsplit

import httpcore
import httpx

from graphrelay.graph.http.exchange import ATTEMPT, HttpAttempt, Timeouts
from graphrelay.graph.http.stream import HostUnreachable, Network


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
            raise ValueError("a proxy must have the form http://host:port")
        tls = parts.scheme == "https"
        login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        basic = "Basic " + base64.b64encode(login.encode()).decode() if parts.username else ""
        return cls(parts.hostname, parts.port or (443 if tls else 8080), tls, basic)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How to connect to the cloud's hosts; the trusted certificates are shared by all lanes."""

    tls: ssl.SSLContext
    proxy: Proxy | None
    timeouts: Timeouts

    def peer(self, host: str) -> str:
        """What we connect to, in words."""
        return f"the proxy {self.proxy.host}" if self.proxy else host

    def transport(self, network: Network, concurrency: int) -> httpx.AsyncBaseTransport:
        """For a lane with `concurrency` requests at a time: as many connections to Graph, and to
        the host of upload sessions beside it."""
        return _Transport(self._pool(network, 2 * concurrency), self)

    def _pool(self, network: Network, connections: int) -> httpcore.AsyncConnectionPool:
        return _Pool(
            ssl_context=self.tls,
            proxy=self._proxy(),
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=self.timeouts.idle.total_seconds(),
            retries=0,
            network_backend=network,
        )

    def _proxy(self) -> httpcore.Proxy | None:
        if self.proxy is None:
            return None
        scheme = "https" if self.proxy.tls else "http"
        login = self.proxy.authorization
        return httpcore.Proxy(
            httpcore.URL(scheme=scheme, host=self.proxy.host, port=self.proxy.port, target="/"),
            headers={"Proxy-Authorization": login} if login else {},
            ssl_context=self.tls if self.proxy.tls else None,
        )


class _Transport(httpx.AsyncBaseTransport):
    """httpx over a pool with a network backend of ours, which httpx's own transport cannot take
    (https://www.python-httpx.org/advanced/transports/).

    httpcore has an extension "target", but uses it in the request to a proxy, too.
    """

    def __init__(self, pool: httpcore.AsyncConnectionPool, endpoint: Endpoint) -> None:
        self._pool = pool
        self._endpoint = endpoint

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises what httpcore raises, and `HostUnreachable`."""
        attempt = request.extensions[ATTEMPT]
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=attempt.target,
        )
        asked = httpcore.Request(
            request.method.encode(),
            url,
            headers=request.headers.raw,
            content=cast(httpx.AsyncByteStream, request.stream),
            extensions={"timeout": request.extensions["timeout"], ATTEMPT: attempt},
        )
        try:
            answer = await self._pool.handle_async_request(asked)
        except httpcore.ProxyError as error:
            status = str(error).partition(" ")[0]
            raise HostUnreachable(
                f"{self._endpoint.peer(request.url.host)} answered {status}", "4.4.1"
            ) from error
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_ResponseBody(answer),
            extensions=answer.extensions,
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


class _ResponseBody(httpx.AsyncByteStream):
    """The body of an answer, as httpx wants it."""

    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __aiter__(self) -> AsyncIterator[bytes]:
        return aiter(cast(AsyncIterable[bytes], self._answer.stream))

    async def aclose(self) -> None:
        await self._answer.aclose()


class _Pool(httpcore.AsyncConnectionPool):
    """A pool that drops every connection over which a request failed.

    httpcore 1.0 keeps some of them, neither open nor closed: a tunnel in which no TLS session could
    be made, and a connection whose request was cancelled at certain points of its beginning and
    end. Once they are as many as the pool may have, no request would go out any more.
    """

    def create_connection(self, origin: httpcore.Origin) -> httpcore.AsyncConnectionInterface:
        return _Released(super().create_connection(origin))


class _Released(httpcore.AsyncConnectionInterface):
    """A connection that ends with its requests, unless it can be used for another one then.

    The pool gives several requests to a free one, which takes one and refuses the others.
    """

    def __init__(self, connection: httpcore.AsyncConnectionInterface) -> None:
        self._connection = connection
        self._attempts: set[HttpAttempt] = set()
        self._was_asked = False

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        attempt: HttpAttempt = request.extensions[ATTEMPT]
        self._attempts.add(attempt)
        self._was_asked = True
        try:
            return await self._connection.handle_async_request(request)
        except httpcore.ConnectionNotAvailable:
            self._attempts.discard(attempt)
            raise

    def has_expired(self) -> bool:
        """If so, the pool closes and drops it before it gives out connections again."""
        self._attempts = {one for one in self._attempts if not one.ended}
        left_alone = self._was_asked and not self._attempts
        return self._connection.has_expired() or (left_alone and not self._connection.is_idle())

    async def aclose(self) -> None:
        await self._connection.aclose()

    def info(self) -> str:
        return self._connection.info()

    def can_handle_request(self, origin: httpcore.Origin) -> bool:
        return self._connection.can_handle_request(origin)

    def is_available(self) -> bool:
        return self._connection.is_available()

    def is_idle(self) -> bool:
        return self._connection.is_idle()

    def is_closed(self) -> bool:
        return self._connection.is_closed()
