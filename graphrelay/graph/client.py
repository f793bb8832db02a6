"""Submitting messages to Graph: one client for a lane, each with a few connections of its own.

    GraphClient.for_lane(lane) ─▶ LaneClient.send_mime(…) ─▶ Outcome, or doubt about the token

`POST …/sendMail` with `Content-Type: text/plain` takes the base64 of a whole MIME message
(https://learn.microsoft.com/en-us/graph/api/user-sendmail). It has no envelope: Exchange sends to
the header fields To, Cc and Bcc. Redirects are never followed: a token goes to the cloud's host
and nowhere else.
"""

import asyncio
import re
import ssl
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

import httpx

from graphrelay.clock import Clock
from graphrelay.graph.base64stream import closing, encoded, encoded_size
from graphrelay.graph.clouds import Cloud
from graphrelay.graph.http.answer import HttpAnswer
from graphrelay.graph.http.exchange import (
    BodyChanged,
    Exchange,
    Exchanged,
    Lost,
    NotSent,
    Request,
    Timeouts,
)
from graphrelay.graph.http.stream import Network
from graphrelay.graph.http.transport import Proxy, Way
from graphrelay.graph.outcome import TokenDoubt, outcome_of
from graphrelay.model import Answer, Delayed, Lane, OctetSource, Outcome, Uncertain

OWN_MAILBOX = "/me"
CONCURRENCY = 4
"""Exchange runs four requests at a time for an application and a mailbox
(https://learn.microsoft.com/en-us/graph/throttling-limits#outlook-service-limits)."""

_USER_AGENT = b"graphrelay"


def mailbox_path(address: str) -> str:
    """`/users/…`, with the address as exactly one path segment, whatever it contains.

    Raises `ValueError` for what no mailbox can be called.
    """
    if not address.isprintable() or not address.strip("."):
        raise ValueError(f"{address!r} cannot be the address of a mailbox")
    return f"/users/{quote(address, safe='@')}"


@dataclass(frozen=True, slots=True)
class Call:
    """A request in the name of an account; `path` follows the version, such as `/me/sendMail`."""

    method: str
    path: str
    token: str = field(repr=False)
    client_request_id: str


@dataclass(frozen=True, slots=True)
class Upload:
    """A request to an upload session. Its URL carries an authorization of its own and may be at
    another host, so that no token of ours goes there."""

    method: str
    url: str = field(repr=False)
    content_range: str = ""
    """Such as `bytes 0-2097151/3483322`."""


class GraphClient:
    """All lanes' way to one cloud. What they share is the trust in certificates, nothing else."""

    def __init__(
        self,
        cloud: Cloud,
        tls: ssl.SSLContext,
        clock: Clock,
        *,
        proxy: Proxy | None = None,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 (frozen)
        concurrency: int = CONCURRENCY,
    ) -> None:
        self._graph = httpx.URL(cloud.graph_url)
        self._way = Way(tls, proxy, timeouts)
        self._clock = clock
        self._concurrency = concurrency
        self._lanes: dict[Lane, LaneClient] = {}

    def for_lane(self, lane: Lane) -> "LaneClient":
        """The lane's client; made at its first use."""
        if lane not in self._lanes:
            made = LaneClient(self._graph, self._way, self._clock, self._concurrency)
            self._lanes[lane] = made
        return self._lanes[lane]

    def close_lane(self, lane: Lane) -> None:
        """Close what a lane has open, once nobody uses it; it may be asked for again later."""
        if client := self._lanes.pop(lane, None):
            client.close()

    async def aclose(self) -> None:
        """Close every connection."""
        lanes, self._lanes = self._lanes, {}
        for client in lanes.values():
            await client.aclose()
        await asyncio.sleep(0)  # so that the connections hear of it


class LaneClient:
    """At most `concurrency` requests at a time, over connections that are kept while they last."""

    def __init__(self, graph: httpx.URL, way: Way, clock: Clock, concurrency: int) -> None:
        self._graph = graph
        self._way = way
        self._clock = clock
        self._turns = asyncio.Semaphore(concurrency)
        self._network = Network(through_proxy=way.proxy is not None)
        self._http = way.transport(self._network, concurrency)
        self._in_flight = 0
        self._closing = False
        self._requests = self._octets = 0

    def take_spent(self) -> tuple[int, int]:
        """Requests made and octets sent in them since it was asked last."""
        spent = self._requests, self._octets
        self._requests = self._octets = 0
        return spent

    async def send_mime(
        self, mailbox: str, mime: OctetSource, token: str, client_request_id: str
    ) -> Outcome | TokenDoubt:
        """Submit `mime`, read from its start. `mailbox` is `OWN_MAILBOX` or a `mailbox_path`.

        Raises whatever reading `mime` raises, and `BodyChanged`; then nothing was sent.
        """
        call = Call("POST", f"{mailbox}/sendMail", token, client_request_id)
        return self.outcome(await self.call_with_mime(call, mime), call)

    async def send_json(
        self, mailbox: str, body: OctetSource, token: str, client_request_id: str
    ) -> Outcome | TokenDoubt:
        """The same for a message in JSON, which can say that no copy stays in Sent Items."""
        call = Call("POST", f"{mailbox}/sendMail", token, client_request_id)
        return self.outcome(await self.call_with_json(call, body), call)

    async def call_with_mime(self, call: Call, mime: OctetSource, keep: int = 0) -> Exchanged:
        """Any request whose body is the base64 of a message."""
        request = self._request(call, b"text/plain", encoded_size(mime.size), keep)
        return await self._exchange(request, encoded(mime.chunks()))

    async def call_with_json(self, call: Call, body: OctetSource, keep: int = 0) -> Exchanged:
        """Any request whose body is JSON."""
        request = self._request(call, b"application/json", body.size, keep)
        return await self._exchange(request, _pieces(body))

    async def upload(self, upload: Upload, body: OctetSource | None = None) -> Exchanged:
        """A request to an upload session, in one of the lane's turns.

        Raises whatever reading `body` raises, and `BodyChanged`.
        """
        base = upload_host(upload.url)
        if base is None:
            return NotSent("the address for the upload cannot be used", "4.3.5")
        headers = [
            (b"Host", base.netloc),
            (b"Accept", b"application/json"),
            (b"User-Agent", _USER_AGENT),
        ]
        if body is not None:
            headers.append((b"Content-Type", b"application/octet-stream"))
            headers.append((b"Content-Range", upload.content_range.encode("ascii")))
        parts = urlsplit(upload.url)
        target = f"{parts.path}{'?' if parts.query else ''}{parts.query}".encode("ascii")
        size = body.size if body is not None else 0
        request = Request(upload.method.encode("ascii"), base, target, headers, size)
        return await self._exchange(request, _pieces(body) if body is not None else _nothing())

    async def call(self, call: Call, keep: int = 0) -> Exchanged:
        """A request without a body. `keep`: how much of the answer is wanted, if it is more than
        an error's."""
        return await self._exchange(self._request(call, b"", 0, keep), _nothing())

    def outcome(self, result: Exchanged, call: Call) -> Outcome | TokenDoubt:
        """What the answer to a submission means."""
        match result:
            case HttpAnswer():
                return outcome_of(result, call.client_request_id, self._clock.now())
            case NotSent(reason, status):
                said = Answer(client_request_id=call.client_request_id)
                return Delayed(status=status, reason=reason, answer=said)
            case Lost(reason):
                said = Answer(client_request_id=call.client_request_id)
                return Uncertain(reason=reason, answer=said)

    def close(self) -> None:
        """Close the connections once nobody uses them any more."""
        self._closing = True
        if not self._in_flight:
            self._network.close()

    async def aclose(self) -> None:
        """Close them now."""
        await self._http.aclose()
        self._network.close()

    def _request(self, call: Call, content_type: bytes, size: int, keep: int = 0) -> Request:
        headers = [
            (b"Host", self._graph.netloc),
            (b"Authorization", b"Bearer " + call.token.encode("ascii")),
            (b"Accept", b"application/json"),
            (b"User-Agent", _USER_AGENT),
            (b"client-request-id", call.client_request_id.encode("ascii")),
            (b"return-client-request-id", b"true"),
            (b"Prefer", b'IdType="ImmutableId"'),
        ]
        if content_type:
            headers.append((b"Content-Type", content_type))
        target = f"/v1.0{call.path}".encode("ascii")
        return Request(call.method.encode("ascii"), self._graph, target, headers, size, keep)

    async def _exchange(self, request: Request, body: AsyncGenerator[bytes, None]) -> Exchanged:
        async with self._turns, aclosing(body):
            way = self._way.to(request.base.host)
            exchange = Exchange(request, body, way, self._way.timeouts)
            self._in_flight += 1
            try:
                return await exchange.over(self._http)
            finally:
                self._in_flight -= 1
                self._requests += exchange.begun
                self._octets += request.size * exchange.begun
                if self._closing and not self._in_flight:
                    self._network.close()


_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_URL = re.compile(
    rf"(https://(?=[^/:]{{1,253}}[/:]){_LABEL}(?:\.{_LABEL})*(?::(?P<port>[0-9]{{1,5}}))?)/[!-~]*"
)
_LONGEST_URL = 16 * 1024


def upload_host(url: str) -> httpx.URL | None:
    """Scheme, host and port; `None` for what is no address to send mail to: another scheme than
    https, user info, a name that DNS cannot hold (RFC 1035), a port that does not exist, or over
    16 KiB."""
    found = _URL.fullmatch(url) if len(url) <= _LONGEST_URL else None
    if found is None or not 0 < int(found["port"] or 443) < 1 << 16:
        return None
    return httpx.URL(found[1])


async def _nothing() -> AsyncGenerator[bytes, None]:
    return
    yield


async def _pieces(body: OctetSource) -> AsyncGenerator[bytes, None]:
    async with closing(body.chunks()) as chunks:
        async for piece in chunks:
            yield piece


__all__ = [
    "CONCURRENCY",
    "OWN_MAILBOX",
    "BodyChanged",
    "Call",
    "GraphClient",
    "LaneClient",
    "Timeouts",
    "Upload",
    "mailbox_path",
    "upload_host",
]
