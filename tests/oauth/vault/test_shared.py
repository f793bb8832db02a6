"""The vault in the database of several relays: one key, and nobody overwrites what is newer."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from graphrelay.journal import Journal
from graphrelay.oauth.vault import shared
from graphrelay.oauth.vault.key import CREDENTIAL_NAME, new_key_text
from graphrelay.oauth.vault.problem import VaultFailure
from graphrelay.oauth.vault.shared import open_shared_vault
from graphrelay.oauth.vault.vault import Decision, Put, Remove, Vault
from graphrelay.spool.postgres import PostgresSpool
from tests.clock import FakeClock
from tests.oauth.conftest import files_only
from tests.spool.postgres.relays import a_relay
from tests.spool.postgres_server import PostgresServer

T = TypeVar("T")
KEY = new_key_text()


@pytest.fixture
async def relay(database: str, clock: FakeClock, journal: Journal) -> AsyncIterator[PostgresSpool]:
    async with a_relay(database, clock, journal) as spool:
        yield spool


@pytest.fixture
def journal(clock: FakeClock) -> Journal:
    return Journal(clock)


def given(state: Path, *keys: bytes) -> Path:
    """A state directory with these keys."""
    state.mkdir(exist_ok=True)
    file = state / CREDENTIAL_NAME
    file.touch(0o600)
    file.write_bytes(b"".join(keys))
    return state


class Host:
    """A vault as a relay on a host of its own opens it; in a thread, as the relay uses it."""

    def __init__(self, state: Path, spool: PostgresSpool) -> None:
        self.vault = open_shared_vault(state, spool.secrets, files_only(state))

    async def read(self, name: str = "website") -> str | None:
        return await asyncio.to_thread(self.vault.read, name)

    async def change(self, decide: Callable[[str | None], Decision], name: str = "website") -> None:
        await asyncio.to_thread(self.vault.change, name, decide)

    async def put(self, secret: str) -> None:
        await self.change(lambda _: Put(secret))

    async def do(self, work: Callable[[Vault], T]) -> T:
        return await asyncio.to_thread(work, self.vault)


def rows(server: PostgresServer) -> list[tuple[object, ...]]:
    return server.execute("SELECT * FROM graphrelay.secrets ORDER BY 1, 2")


async def test_hosts_with_the_same_key_have_the_same_secrets(
    relay: PostgresSpool, tmp_path: Path
) -> None:
    one, other = (Host(given(tmp_path / name, KEY), relay) for name in "ab")
    await one.put("refresh token")
    assert await other.read() == "refresh token"
    assert await other.do(lambda vault: vault.names()) == ("website",)
    await other.change(lambda _: Remove())
    assert await one.read() is None
    place = await one.do(lambda vault: vault.place())
    assert (place.name, place.reason) == (
        "database",
        f"[spool] url; key file {tmp_path / 'a' / CREDENTIAL_NAME}",
    )


async def test_a_host_with_another_key_says_so_when_it_opens_it_and_changes_nothing(
    relay: PostgresSpool, tmp_path: Path, postgres_server_of_all: PostgresServer
) -> None:
    await Host(given(tmp_path / "a", KEY), relay).put("refresh token")
    before = rows(postgres_server_of_all)
    stranger = Host(given(tmp_path / "b", new_key_text()), relay)
    with pytest.raises(VaultFailure, match="The vault in the database was encrypted") as caught:
        await stranger.do(lambda vault: vault.place())
    assert "Give this host the key of the other relays" in caught.value.remedy
    with pytest.raises(VaultFailure, match="another key"):
        await stranger.put("mine")
    assert rows(postgres_server_of_all) == before


async def test_a_key_is_changed_on_one_host_after_the_other(
    relay: PostgresSpool, tmp_path: Path
) -> None:
    new = new_key_text()
    one = Host(given(tmp_path / "a", KEY), relay)
    other = Host(given(tmp_path / "b", KEY), relay)
    await one.put("secret")
    with pytest.raises(VaultFailure) as caught:
        await one.do(Vault.rotate)
    assert "second line of vault.key" in caught.value.remedy
    for keys in ((KEY, new), (new, KEY)):
        for state in "ab":
            given(tmp_path / state, *keys)
            for host, reader in ((one, other), (other, one)):
                await host.put(state)
                assert await reader.read() == state
    assert await one.do(Vault.rotate) == 2
    for state in "ab":
        given(tmp_path / state, new)
    assert [await host.read() for host in (one, other)] == ["b", "b"]


async def test_a_host_without_a_key_makes_none_of_its_own(
    relay: PostgresSpool, tmp_path: Path
) -> None:
    """Even before anybody has authorized an account."""
    await Host(given(tmp_path / "a", KEY), relay).read()
    (tmp_path / "b").mkdir()
    with pytest.raises(VaultFailure, match="key is missing on this host") as caught:
        await Host(tmp_path / "b", relay).read()
    assert "Copy it from another relay" in caught.value.remedy
    assert not (tmp_path / "b" / CREDENTIAL_NAME).exists()


async def test_the_first_host_makes_a_key_if_it_was_given_none(
    relay: PostgresSpool, tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    await Host(tmp_path / "a", relay).put("refresh token")
    key = (tmp_path / "a" / CREDENTIAL_NAME).read_bytes()
    assert await Host(given(tmp_path / "b", key), relay).read() == "refresh token"


async def test_a_change_that_another_relay_got_ahead_of_begins_anew(
    relay: PostgresSpool, tmp_path: Path
) -> None:
    one, other = (Host(given(tmp_path / name, KEY), relay) for name in "ab")
    await one.put("first")
    seen: list[str | None] = []

    def decide(now: str | None) -> Decision:
        seen.append(now)
        if len(seen) == 1:  # in the thread of the vault, between its reading and its writing
            other.vault.change("website", lambda _: Put("second"))
        return Put(f"after {now}")

    await one.change(decide)
    assert seen == ["first", "second"]
    assert await other.read() == "after second"


async def test_one_relay_at_a_time_has_its_turn(
    relay: PostgresSpool,
    database: str,
    clock: FakeClock,
    journal: Journal,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shared, "TURN_PATIENCE", 0.2)
    async with a_relay(database, clock, journal, "b") as second:
        one = Host(given(tmp_path / "a", KEY), relay)
        other = Host(given(tmp_path / "b", KEY), second)

        def take(vault: Vault) -> None:
            with vault.turn("website"):
                pass

        def hold(vault: Vault) -> None:
            with vault.turn("website"), pytest.raises(VaultFailure) as caught:
                take(other.vault)
            assert caught.value.passes

        await one.do(hold)
        await other.do(take)


async def test_after_a_failure_the_turn_is_kept_for_the_one_that_failed(
    relay: PostgresSpool,
    database: str,
    clock: FakeClock,
    journal: Journal,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shared, "TURN_PATIENCE", 0.2)
    async with a_relay(database, clock, journal, "b") as second:
        one = Host(given(tmp_path / "a", KEY), relay)
        other = Host(given(tmp_path / "b", KEY), second)

        def fail(vault: Vault) -> None:
            with pytest.raises(ZeroDivisionError), vault.turn("website"):
                raise ZeroDivisionError

        def take(vault: Vault) -> None:
            with vault.turn("website"):
                pass

        await one.do(fail)
        with pytest.raises(VaultFailure, match="Another relay"):
            await other.do(take)
        await one.do(take)
        await other.do(take)


async def test_without_the_database_it_is_a_trouble_that_passes(
    relay: PostgresSpool, tmp_path: Path, postgres_server_of_all: PostgresServer
) -> None:
    one = Host(given(tmp_path / "a", KEY), relay)
    await one.put("refresh token")
    postgres_server_of_all.execute("ALTER TABLE graphrelay.secrets RENAME TO elsewhere")
    with pytest.raises(VaultFailure, match="cannot be read") as caught:
        await one.read()
    assert caught.value.passes
    postgres_server_of_all.execute("ALTER TABLE graphrelay.elsewhere RENAME TO secrets")
    assert await one.read() == "refresh token"


async def test_secrets_that_were_copied_there_show_a_wrong_key_as_well(
    relay: PostgresSpool, tmp_path: Path, postgres_server_of_all: PostgresServer
) -> None:
    await Host(given(tmp_path / "a", KEY), relay).put("refresh token")
    postgres_server_of_all.execute("DELETE FROM graphrelay.secrets WHERE service <> 'graphrelay'")
    with pytest.raises(VaultFailure, match="The secret 'website' in the database was encrypted"):
        await Host(given(tmp_path / "b", new_key_text()), relay).do(lambda vault: vault.place())
    assert await Host(given(tmp_path / "c", KEY), relay).read() == "refresh token"
