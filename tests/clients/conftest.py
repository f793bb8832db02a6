"""The endpoint that the programs send to."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.clients import wordpress_site
from tests.clients.arrivals import Arrival, Relay
from tests.clients.wordpress_site import Site


class Sink:
    """An SMTP server that keeps what it is given."""

    def __init__(self) -> None:
        self.smtp_host = "127.0.0.1"
        self.smtp_port = 0
        self._got: list[Arrival] = []
        self._more = asyncio.Condition()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        async with self._more:
            assert envelope.original_content is not None
            self._got.append(Arrival(tuple(sorted(envelope.rcpt_tos)), envelope.original_content))
            self._more.notify_all()
        return "250 2.0.0 Ok"

    async def arrived(self, count: int) -> list[Arrival]:
        async with self._more, asyncio.timeout(30):
            await self._more.wait_for(lambda: len(self._got) >= count)
        return list(self._got)


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    loop = asyncio.get_running_loop()
    sink = Sink()
    server = await loop.create_server(
        lambda: SMTP(sink, enable_SMTPUTF8=True, loop=loop), sink.smtp_host, 0
    )
    sink.smtp_port = server.sockets[0].getsockname()[1]
    yield sink
    server.close()
    await server.wait_closed()


@pytest.fixture(scope="session")
def wordpress() -> Iterator[Site]:
    # Not pytest's own temporary folder: a socket's path may have about 100 characters.
    with tempfile.TemporaryDirectory() as folder, wordpress_site.installed(Path(folder)) as site:
        yield site
