"""Token managers of several relays over one vault, in a database: they take turns, and what one of
them does holds for all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from graphrelay.journal import Journal
from graphrelay.model import Delayed
from graphrelay.oauth.answers import Granted, Unauthorized
from graphrelay.oauth.authorization import Authorization, SignedIn, from_text
from graphrelay.oauth.tokens.manager import TokenManager
from graphrelay.oauth.vault.key import new_key_text
from graphrelay.oauth.vault.problem import VaultFailure
from graphrelay.oauth.vault.shared import open_shared_vault
from graphrelay.oauth.vault.values import SERVICE
from graphrelay.oauth.vault.vault import Remove, Vault
from graphrelay.sandbox.entra.faults import RefreshOnce
from graphrelay.spool.postgres import PostgresSpool
from tests.clock import FakeClock
from tests.oauth.conftest import WEBSITE, World, files_only
from tests.oauth.tokens.test_renewal import meanwhile
from tests.oauth.vault.test_shared import given
from tests.spool.postgres.relays import a_relay
from tests.spool.postgres_server import PostgresServer

KEY = new_key_text()
DAY = timedelta(days=2)
"""Longer than any token lives."""


class Relay:
    """The part of a relay that has tokens."""

    def __init__(self, tokens: TokenManager, spool: PostgresSpool) -> None:
        self.tokens = tokens
        self.spool = spool
        self.changes: list[str] = []
        self._news = asyncio.Event()
        tokens.on_change(self._note)

    def _note(self, account: str) -> None:
        self.changes.append(account)
        self._news.set()

    async def hears(self) -> None:
        """Returns when its lanes are to try again."""
        async with asyncio.timeout(30):
            while not self.changes:
                self._news.clear()
                await self._news.wait()
        self.changes.clear()

    async def token(self) -> object:
        return await self.tokens.token("website")


@asynccontextmanager
async def relay(name: str, world: World, database: str, state: Path) -> AsyncIterator[Relay]:
    journal = Journal(world.clock, world.entries.append)
    async with a_relay(database, world.clock, journal, name) as spool:
        vault = open_shared_vault(given(state / name, KEY), spool.secrets, files_only(state / name))
        tokens = world.manager(WEBSITE, vault=vault)

        def changed(service: str, account: str) -> None:
            if service == SERVICE:
                tokens.changed_elsewhere(account)

        spool.secrets.on_change(changed)
        following = asyncio.create_task(tokens.follow())
        yield Relay(tokens, spool)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await tokens.aclose()
        vault.close()


@pytest.fixture
async def two(world: World, database: str, tmp_path: Path) -> AsyncIterator[tuple[Relay, Relay]]:
    async with (
        relay("a", world, database, tmp_path) as a,
        relay("b", world, database, tmp_path) as b,
    ):
        yield a, b


async def test_a_token_that_one_relay_got_is_used_by_all(
    two: tuple[Relay, Relay], world: World
) -> None:
    a, b = two
    await world.authorize(a.tokens)
    asked = world.asked()
    assert await a.token() == await b.token()
    assert world.asked() == asked


async def test_of_relays_that_refresh_at_the_same_time_one_asks(
    two: tuple[Relay, Relay], world: World, clock: FakeClock
) -> None:
    a, b = two
    world.cloud.faults.on(RefreshOnce())
    await world.authorize(a.tokens)
    for _ in range(5):
        await clock.advance(DAY)
        asked = world.asked()
        answers = await asyncio.gather(a.token(), b.token())
        assert all(isinstance(answer, Granted) for answer in answers), answers
        assert world.asked() == asked + 1
    assert "authorization-refused" not in world.events()


async def test_a_relay_that_was_overtaken_in_its_turn_ends_it(
    two: tuple[Relay, Relay],
    world: World,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    postgres_server_of_all: PostgresServer,
) -> None:
    a, b = two
    await world.authorize(a.tokens)
    await clock.advance(DAY)
    grants, other = a.tokens._states["website"].grants, b.tokens._states["website"].renewal._vault
    meanwhile(monkeypatch, grants, lambda: other.change("website", lambda _: Remove()))
    assert isinstance(await a.token(), Unauthorized)
    assert postgres_server_of_all.execute("SELECT * FROM graphrelay.turns") == []


async def test_authorizing_on_one_host_resumes_the_lanes_of_all(
    two: tuple[Relay, Relay], world: World
) -> None:
    a, b = two
    assert isinstance(await b.token(), Unauthorized)
    await world.authorize(a.tokens)
    await b.hears()
    assert isinstance(await b.token(), Granted)
    assert world.events().count("authorized") == 2, "each host says so"


async def test_revoking_on_one_host_ends_the_use_of_tokens_in_hand_on_all(
    two: tuple[Relay, Relay], world: World
) -> None:
    a, b = two
    await world.authorize(a.tokens)
    assert isinstance(await b.token(), Granted)
    assert await a.tokens.revoke("website") is None
    await b.hears()
    assert isinstance(await b.token(), Unauthorized)


async def test_a_renewal_by_another_relay_disturbs_nothing(
    two: tuple[Relay, Relay], world: World
) -> None:
    a, b = two
    await world.authorize(a.tokens)
    assert isinstance(await b.token(), Granted)
    before, events = await b.token(), world.events()
    await a.tokens.token("website", fresh=True)
    await asyncio.to_thread(a.spool.secrets.names, SERVICE)  # the notification is under way
    await b.tokens.with_vault(lambda vault: vault.contents(()))
    assert await b.token() == before
    assert not b.changes
    assert world.events() == events


async def test_without_the_database_tokens_in_hand_are_used_and_then_mail_waits(
    two: tuple[Relay, Relay],
    world: World,
    clock: FakeClock,
    postgres_server_of_all: PostgresServer,
) -> None:
    a, _ = two
    await world.authorize(a.tokens)
    granted = await a.token()
    assert isinstance(granted, Granted)
    postgres_server_of_all.execute("ALTER TABLE graphrelay.secrets RENAME TO elsewhere")
    clock.set_wall_clock(granted.expires_at - timedelta(minutes=2))
    assert await a.token() == granted, "it would be renewed by now"
    clock.set_wall_clock(granted.expires_at)
    answer = await a.tokens.bearer_token("website")
    assert isinstance(answer, Delayed), "no lane is paused by that"
    postgres_server_of_all.execute("ALTER TABLE graphrelay.elsewhere RENAME TO secrets")
    assert isinstance(await a.tokens.bearer_token("website"), str)
    assert "vault-problem" not in world.events()


async def test_an_answer_that_could_not_be_stored_is_stored_later_and_nothing_asked_twice(
    two: tuple[Relay, Relay], world: World, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old refresh token is used up by then."""
    a, b = two
    world.cloud.faults.on(RefreshOnce())
    await world.authorize(a.tokens)
    await clock.advance(DAY)

    def away(vault: Vault, name: str, decide: object) -> None:
        raise VaultFailure("The database is away.", "", passes=True)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(Vault, "change", away)
        assert not isinstance(await a.token(), Granted)
    asked = world.asked()
    assert isinstance(await a.token(), Granted)
    assert world.asked() == asked
    await clock.advance(DAY)
    assert isinstance(await b.token(), Granted)


async def test_a_relay_that_stood_still_while_it_refreshed_overwrites_nothing(
    two: tuple[Relay, Relay],
    world: World,
    clock: FakeClock,
    postgres_server_of_all: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a, b = two
    await world.authorize(a.tokens)
    await clock.advance(DAY)
    loop, renewal = asyncio.get_running_loop(), a.tokens._states["website"].renewal
    ask, newer = renewal._ask, list[object]()

    def frozen(found: Authorization, challenge: str) -> object:
        """Between Microsoft's answer and its storing, in the thread that renews."""
        answer = ask(found, challenge)
        if not newer:
            postgres_server_of_all.execute("UPDATE graphrelay.turns SET until = 0")
            newer.append(asyncio.run_coroutine_threadsafe(b.token(), loop).result(30))
        return answer

    monkeypatch.setattr(renewal, "_ask", frozen)
    assert await a.token() == newer[0]
    assert isinstance(newer[0], Granted)
    text = await asyncio.to_thread(renewal._vault.read, "website")
    kept = from_text(text or "")
    assert isinstance(kept, SignedIn)
    assert kept.access.text == newer[0].access_token
