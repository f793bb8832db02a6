"""A cloud, a vault in a folder, and a token manager between them, all on one clock."""

import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from graphrelay.journal import Entry, Journal
from graphrelay.oauth.authorization import Authorization, Withdrawn, from_text
from graphrelay.oauth.cloud import TokenCloud
from graphrelay.oauth.entra.msal_http import Http
from graphrelay.oauth.scenario import (
    Account,
    AnyUser,
    ClientSecret,
    SecretText,
    SendAsUser,
)
from graphrelay.oauth.sign_in.authorizer import Authorizer, Pending, SignInResult
from graphrelay.oauth.tokens.keeper_here import KeeperHere
from graphrelay.oauth.tokens.manager import PATIENCE, TokenManager
from graphrelay.oauth.vault.choice import Surroundings
from graphrelay.oauth.vault.unit import ServiceUnit
from graphrelay.oauth.vault.values import Chosen
from graphrelay.oauth.vault.vault import Vault, open_vault
from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.directory import CLIENT_SECRET, CONFIDENTIAL_CLIENT, PUBLIC_CLIENT
from graphrelay.sandbox.visitor import Visitor
from tests.clock import FakeClock

WEBSITE = Account("website", "contoso.com", PUBLIC_CLIENT, SendAsUser("wp@contoso.com"))
DAEMON = Account(
    "daemon",
    "contoso.com",
    CONFIDENTIAL_CLIENT,
    AnyUser(ClientSecret(SecretText(CLIENT_SECRET))),
    ("*@contoso.com",),
)


def stored(vault: Vault, name: str = "website") -> Authorization:
    """The content of the vault that was not withdrawn."""
    found = from_text(vault.read(name) or "")
    assert not isinstance(found, Withdrawn)
    return found


def files_only(state_directory: Path) -> Surroundings:
    """A machine without a desktop and without systemd."""
    return Surroundings(state_directory, None, "linux", session_bus=False, unit=ServiceUnit)


@dataclass
class World:
    """The parts that a test uses."""

    cloud: Sandbox
    clock: FakeClock
    state_directory: Path
    entries: list[Entry] = field(default_factory=list)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    def vault(self) -> Vault:
        vault = open_vault(self.state_directory, "file", files_only(self.state_directory))
        self._stack.callback(vault.close)
        return vault

    def another(self, backend: Chosen) -> Vault:
        """Where secrets are moved to."""
        return open_vault(self.state_directory / "elsewhere", backend)

    def http(self) -> Http:
        return Http(ssl.create_default_context(cafile=str(self.cloud.ca_file)))

    def manager(
        self,
        *accounts: Account,
        vault: Vault | None = None,
        http: Http | None = None,
        patience: timedelta = PATIENCE,
    ) -> TokenManager:
        """A token manager as the daemon makes one; another one is another process's."""
        cloud = TokenCloud(self.cloud.login_url, self.cloud.graph_url)
        manager = TokenManager(
            accounts or (WEBSITE, DAEMON),
            cloud,
            KeeperHere(cloud, vault or self.vault(), http or self.http(), self.clock, self.another),
            self.clock,
            Journal(self.clock, self.entries.append),
            patience,
        )
        self._stack.push_async_callback(manager.aclose)
        return manager

    async def authorize(self, manager: TokenManager, account: Account = WEBSITE) -> SignInResult:
        """As an admin would: sign in as the configured user, or approve the application."""
        authorizer = Authorizer(manager)
        if account.username is None:
            return await authorizer.approve(account, "root")
        pending = await authorizer.begin(account, "http://localhost:1")
        assert isinstance(pending, Pending), pending
        async with Visitor(self.cloud.ca_file) as visitor:
            back = await visitor.sign_in(pending.authorization_url, account.username)
        return await authorizer.complete(pending, back, "root")

    def asked(self, path: str = "/token") -> int:
        """How many requests the cloud has received whose path ends in `path`."""
        return sum(request.path.endswith(path) for request in self.cloud.requests)

    def events(self) -> list[str]:
        return [entry.event for entry in self.entries]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def world(clock: FakeClock, tmp_path: Path) -> AsyncIterator[World]:
    async with Sandbox(now=clock.now) as cloud:
        world = World(cloud, clock, tmp_path / "state")
        async with world._stack:
            yield world


@pytest.fixture
def make_vault(tmp_path: Path) -> Iterator[Callable[[], Vault]]:
    """Vaults on one state directory: each call is another process's."""
    vaults: list[Vault] = []

    def make() -> Vault:
        vaults.append(open_vault(tmp_path, "file", files_only(tmp_path)))
        return vaults[-1]

    yield make
    for vault in vaults:
        vault.close()
