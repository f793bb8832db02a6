"""A server for tests that does on the wire exactly what a script says, byte by byte.

async with scripted(answers(http(202))) as server:      every connection runs the script anew
    session = await server.session()
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import trustme

from graphrelay.graph.client import CONCURRENCY, GraphClient
from graphrelay.graph.clouds import custom_cloud
from graphrelay.graph.http.exchange import Timeouts
from graphrelay.graph.proxy import Proxy
from graphrelay.graph.session import MailboxSession
from graphrelay.graph.tls import client_context
from graphrelay.model import Delayed, Lane, Paused
from tests.clock import FakeClock

LANE = Lane("website", "wp@contoso.com")
TOKEN = "eyJ0.secret.token"
QUICK = Timeouts(
    connect=timedelta(seconds=5),
    stall=timedelta(milliseconds=200),
    answer=timedelta(milliseconds=200),
)
"""For tests in which a time-out must strike."""


@cache
def authority() -> trustme.CA:
    return trustme.CA()


@cache
def server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority().issue_cert("localhost").configure_cert(context)
    return context


@cache
def trusting_context() -> ssl.SSLContext:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "ca.pem"
        authority().cert_pem.write_to_path(str(path))
        return client_context(path)


@dataclass
class Octets:
    """An OctetSource in memory, which counts how often it was read."""

    octets: bytes
    piece: int = 10_000
    size: int = -1
    reads: int = 0

    def __post_init__(self) -> None:
        if self.size < 0:
            self.size = len(self.octets)

    async def chunks(self) -> AsyncIterator[bytes]:
        self.reads += 1
        for start in range(0, len(self.octets), self.piece):
            yield self.octets[start : start + self.piece]


@dataclass
class Heard:
    """A request as it arrived."""

    head: bytes
    body: bytes

    @property
    def request_line(self) -> str:
        return self.head.split(b"\r\n")[0].decode()

    def values(self, name: str) -> list[str]:
        lines = [line.decode().partition(": ") for line in self.head.split(b"\r\n")[1:] if line]
        return [value for key, _, value in lines if key.lower() == name.lower()]


@dataclass
class Wire:
    """One connection, seen from the server's side."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    heard: list[Heard]

    async def head(self) -> bytes:
        return await self.reader.readuntil(b"\r\n\r\n")

    async def request(self) -> Heard:
        """The next request, whole."""
        request = Heard(await self.head(), b"")
        length = int((request.values("content-length") or ["0"])[0])
        request.body = await self.reader.readexactly(length)
        self.heard.append(request)
        return request

    async def say(self, octets: bytes) -> None:
        self.writer.write(octets)
        await self.writer.drain()

    def cut(self) -> None:
        """Break the connection without closing it properly."""
        self.writer.transport.abort()


@dataclass
class Tokens:
    """A `TokenSource` that returns `tokens` one after the other, each until it is refused."""

    tokens: list[str | Paused | Delayed] = field(default_factory=lambda: [TOKEN])
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Which token was refused, and the challenge, each time that another one was asked for."""

    async def bearer_token(
        self, account: str, *, refused: str = "", challenge: str = ""
    ) -> str | Paused | Delayed:
        if refused:
            self.asked.append((refused, challenge))
        if refused == self.tokens[0] and len(self.tokens) > 1:
            del self.tokens[0]
        return self.tokens[0]


Script = Callable[[Wire], Awaitable[None]]


@dataclass
class Scripted:
    port: int
    connections: int = 0
    heard: list[Heard] = field(default_factory=list)
    clients: list[GraphClient] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    tokens: Tokens = field(default_factory=Tokens)

    def graph(
        self,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 (frozen)
        *,
        proxy: Proxy | None = None,
        tls: ssl.SSLContext | None = None,
        host: str = "localhost",
        concurrency: int = CONCURRENCY,
    ) -> GraphClient:
        url = f"https://{host}:{self.port}"
        tls = tls or trusting_context()
        cloud = custom_cloud(url, url)
        graph = GraphClient(
            cloud,
            tls,
            self.tokens,
            lambda lane: None if lane == LANE else lane.mailbox,
            FakeClock(),
            proxy=proxy,
            timeouts=timeouts,
            concurrency=concurrency,
        )
        self.clients.append(graph)
        return graph

    async def session(
        self,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 (frozen)
    ) -> MailboxSession:
        return await session_of(self.graph(timeouts))


async def session_of(graph: GraphClient, lane: Lane = LANE) -> MailboxSession:
    """A session that has a token."""
    session = await graph.session(lane)
    assert isinstance(session, MailboxSession)
    return session


async def all_closed(session: MailboxSession) -> None:
    """Return when the client has seen that its connections are closed."""
    async with asyncio.timeout(10):
        while _open(session):  # noqa: ASYNC110 (it has no event for it)
            await asyncio.sleep(0)


def _open(session: MailboxSession) -> bool:
    connector = session._connections._connector
    idle = [connection for kept in connector._conns.values() for connection, _ in kept]
    return any(connection.transport for connection in (*idle, *connector._acquired))


@asynccontextmanager
async def scripted(script: Script, *, tls: bool = True) -> AsyncIterator[Scripted]:
    """A server on loopback that runs `script` for each connection, one after the other."""
    server = Scripted(0)
    tasks: set[asyncio.Task[None]] = set()

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await script(Wire(reader, writer, server.heard))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort()
            tasks.discard(task)
            server.done.set()

    context = server_context() if tls else None
    listening = await asyncio.start_server(run, "127.0.0.1", 0, ssl=context)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for graph in server.clients:
            await graph.aclose()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)


def http(status: int, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def answers(*octets: bytes) -> Script:
    """Reads complete requests and gives these answers in order, repeating the last."""

    left = list(octets)

    async def script(wire: Wire) -> None:
        while True:
            await wire.request()
            await wire.say(left.pop(0) if len(left) > 1 else left[0])

    return script
