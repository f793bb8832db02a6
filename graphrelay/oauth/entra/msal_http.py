"""HTTP for msal: our own client, with the same certificates and the same proxy as Graph's.

By default msal lets REQUESTS_CA_BUNDLE and the proxy variables of the environment decide, waits
without a limit, and remembers a 400 for 60 s. Here the environment is ignored, every wait has a
limit, and the last response is kept: its status, Retry-After and Date, which msal drops.

httpx's timeouts count from octet to octet, and its client decompresses responses. So the network
below it limits each response as a whole, head and body: to `LONGEST_ANSWER` octets, and to the time
that the request has. Compression is neither requested nor accepted.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ssl import SSLContext
from typing import Any, cast

import httpcore
import httpx

from graphrelay.retry_after import http_date

LONGEST_ANSWER = 64 * 1024
"""Octets of a response, head and body; Entra's have a few thousand."""
OVERALL = timedelta(seconds=60)
"""For all requests of one call of msal, discovery and token."""
_UNTIL = "graphrelay.until"
"""The extension of a request that holds its deadline, by `time.monotonic`."""


@dataclass(frozen=True, slots=True)
class Http:
    """How to reach the cloud: shared by Entra and Graph alike."""

    ssl: SSLContext
    proxy: str | None = field(default=None, repr=False)
    """May contain a password, so it is not shown."""
    connect_timeout: timedelta = timedelta(seconds=10)
    answer_timeout: timedelta = timedelta(seconds=30)
    """Without an octet."""
    overall_timeout: timedelta = OVERALL

    def client(self, *, through_proxy: bool = True) -> httpx.Client:
        """A client that ignores the environment. Token requests are rare, so it has no pool."""
        connect, answer = self.connect_timeout.total_seconds(), self.answer_timeout.total_seconds()
        return httpx.Client(
            transport=_Transport(self.ssl, self.proxy if through_proxy else None),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(answer, connect=connect),
            headers={"Accept-Encoding": "identity"},
        )


class RecordingClient:
    """msal's `http_client`: sends requests, and keeps the last response."""

    def __init__(self, client: httpx.Client, overall: timedelta = OVERALL) -> None:
        self._client = client
        self._overall = overall.total_seconds()
        self.begin()

    def begin(self) -> None:
        """Another question: what was answered before is forgotten, and its time begins."""
        self.last: httpx.Response | None = None
        self._until = time.monotonic() + self._overall

    def post(
        self,
        url: str,
        params: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> httpx.Response:
        """A form, as requests would send it: octets as text, and no fields without a value."""
        form = {key: _text(value) for key, value in (data or {}).items() if value is not None}
        return self._send("POST", url, params=params, data=form, headers=headers)

    def get(
        self,
        url: str,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> httpx.Response:
        return self._send("GET", url, params=params, headers=headers)

    def close(self) -> None:
        self._client.close()

    def _send(self, method: str, url: str, **options: Any) -> httpx.Response:
        self.last = None
        extensions = {_UNTIL: self._until}
        self.last = self._client.request(method, url, extensions=extensions, **options)
        return self.last


_BROKEN = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
)


class _Transport(httpx.BaseTransport):
    """httpx over a network that keeps the limits, which httpx's own transport cannot take
    (https://www.python-httpx.org/advanced/transports/). No connection is kept."""

    def __init__(self, ssl: SSLContext, proxy: str | None) -> None:
        self._proxy_name = f"the proxy {httpx.URL(proxy).netloc.decode()}" if proxy else ""
        self._network = _Network(self._proxy_name)
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl,
            proxy=_proxy(proxy, ssl) if proxy else None,
            max_keepalive_connections=0,
            network_backend=self._network,
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer with its whole body. Raises `httpx.TransportError`."""
        latest = time.monotonic() + OVERALL.total_seconds()
        self._network.until = request.extensions.get(_UNTIL, latest)
        url = request.url
        asked = httpcore.Request(
            request.method,
            httpcore.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
            ),
            headers=request.headers.raw,
            content=cast(Iterable[bytes], request.stream),
            extensions=request.extensions,
        )
        try:
            answer = self._pool.handle_request(asked)
            try:
                body = b"".join(cast(Iterator[bytes], answer.stream))
            finally:
                answer.close()
        except _BROKEN as error:
            kind = getattr(httpx, type(error).__name__)
            text = str(error) or type(error).__name__
            if isinstance(error, httpcore.ProxyError):
                text = f"{self._proxy_name} answered: {text}"
            raise kind(text) from error
        headers = httpx.Headers(answer.headers)
        if (encoding := headers.get("Content-Encoding", "identity").strip()) != "identity":
            raise httpx.RemoteProtocolError(
                f"it answered HTTP {answer.status}, compressed ({encoding!r:.40}), unasked"
            )
        return httpx.Response(answer.status, headers=headers, content=body)

    def close(self) -> None:
        self._pool.close()


def _proxy(url: str, ssl: SSLContext) -> httpcore.Proxy:
    given = httpx.Proxy(url)
    return httpcore.Proxy(
        httpcore.URL(
            scheme=given.url.raw_scheme, host=given.url.raw_host, port=given.url.port, target="/"
        ),
        auth=given.raw_auth,
        headers=given.headers.raw,
        ssl_context=ssl if given.url.scheme == "https" else None,
    )


class _Network(httpcore.NetworkBackend):
    """Connections that end when the time of the request is over, `until` by `time.monotonic`."""

    def __init__(self, proxy: str) -> None:
        """`proxy`: what all connections are made to, in words; empty without one."""
        self._proxy = proxy
        self._inner = httpcore.SyncBackend()
        self.until = 0.0

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            stream = self._inner.connect_tcp(
                host, port, self.left(timeout), local_address, socket_options
            )
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
            if not self._proxy:
                raise
            raise type(error)(f"{self._proxy}: {error}") from error
        return _Stream(stream, self.left)

    def left(self, timeout: float | None) -> float:
        """Seconds that may still be waited. Raises `ReadTimeout`."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("no whole answer came in time")
        return left if timeout is None else min(timeout, left)


class _Stream(httpcore.NetworkStream):
    """A connection for one request."""

    def __init__(
        self, inner: httpcore.NetworkStream, left: Callable[[float | None], float]
    ) -> None:
        self._inner = inner
        self._left = left
        self._octets = 0

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        octets = self._inner.read(max_bytes, self._left(timeout))
        self._octets += len(octets)
        if self._octets > LONGEST_ANSWER:
            raise httpcore.ReadError(f"its answer is longer than {LONGEST_ANSWER // 1024} kB")
        return octets

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        inner = self._inner.start_tls(ssl_context, server_hostname, self._left(timeout))
        return _Stream(inner, self._left)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _text(value: Any) -> str:
    return value.decode("ascii") if isinstance(value, bytes) else str(value)


def clock_error(response: httpx.Response | None, now: datetime) -> timedelta | None:
    """How far this machine's clock is ahead of the server's, in whole seconds; `None` without a
    Date header."""
    moment = http_date(response.headers.get("Date", "")) if response is not None else None
    return now.replace(microsecond=0) - moment if moment is not None else None
