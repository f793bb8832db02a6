"""The endpoint that the programs send to: a relay, with a cloud behind it."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.clients import wordpress_site
from tests.clients.arrivals import Arrival, Relay
from tests.clients.wordpress_site import Site
from tests.world import World, world


class Relayed:
    """The world as its clients see it: a port, and what came out far away."""

    def __init__(self, world: World) -> None:
        self.smtp_host = "127.0.0.1"
        self.smtp_port = world.port
        self.looked_at = 0
        self._mailboxes = world.cloud.mailboxes

    async def arrived(self, count: int) -> list[Arrival]:
        mails = await self._mailboxes.arrived(count, timeout=30)
        self.looked_at = len(mails)
        return [Arrival(tuple(sorted(mail.received)), mail.delivered) for mail in mails]


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[Relay]:
    async with world(tmp_path, scenario="user") as here:
        relayed = Relayed(here)
        yield relayed
    assert len(here.cloud.mailboxes.submitted) == relayed.looked_at, "something arrived later"


@pytest.fixture(scope="session")
def wordpress() -> Iterator[Site]:
    # Not pytest's own temporary folder: a socket's path may have about 100 characters.
    with tempfile.TemporaryDirectory() as folder, wordpress_site.installed(Path(folder)) as site:
        yield site
