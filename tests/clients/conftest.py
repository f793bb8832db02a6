"""The endpoint that the programs send to: a relay, with a cloud behind it."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from graphrelay.config import load
from graphrelay.daemon import running
from graphrelay.oauth.authorize import Authorizer, Stored
from graphrelay.sandbox import Sandbox
from tests import configuration
from tests.clients import wordpress_site
from tests.clients.arrivals import Arrival, Relay
from tests.clients.wordpress_site import Site


class Relayed:
    """The relay in the test's own event loop, seen from outside."""

    def __init__(self, cloud: Sandbox, address: str) -> None:
        self.smtp_host, _, port = address.rpartition(":")
        self.smtp_port = int(port)
        self._cloud = cloud
        self.looked_at = 0

    async def arrived(self, count: int) -> list[Arrival]:
        mails = await self._cloud.mailboxes.arrived(count, timeout=30)
        self.looked_at = len(mails)
        return [Arrival(tuple(sorted(mail.received)), mail.delivered) for mail in mails]


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[Relay]:
    config = tmp_path / "config.toml"
    async with Sandbox() as cloud:
        config.write_text(configuration.for_sandbox(cloud, tmp_path / "state"), "utf-8")
        async with running(load(config)) as relay:
            [account] = relay.tokens.accounts
            assert isinstance(await Authorizer(relay.tokens).approve(account, "tests"), Stored)
            relayed = Relayed(cloud, relay.addresses[0])
            yield relayed
        assert len(cloud.mailboxes.submitted) == relayed.looked_at, "something arrived later"


@pytest.fixture(scope="session")
def wordpress() -> Iterator[Site]:
    # Not pytest's own temporary folder: a socket's path may have about 100 characters.
    with tempfile.TemporaryDirectory() as folder, wordpress_site.installed(Path(folder)) as site:
        yield site
