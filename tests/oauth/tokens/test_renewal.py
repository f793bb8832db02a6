"""One refresh, while another process changes the same authorization."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from graphrelay.oauth.answers import EntraFailure, Granted, Unauthorized, VaultProblem
from graphrelay.oauth.authorization import Withdrawn, to_text
from graphrelay.oauth.entra.grants import Grants
from graphrelay.oauth.entra.responses import TokenResponse
from graphrelay.oauth.sign_in.authorizer import Authorizer, Pending, Stored
from graphrelay.oauth.vault.vault import Put, Remove
from graphrelay.sandbox.visitor import Visitor
from tests.oauth.conftest import DAEMON, WEBSITE, World, stored

A_DAY_AND_MORE = timedelta(hours=30)


def meanwhile(monkeypatch: pytest.MonkeyPatch, grants: Grants, do: Callable[[], object]) -> None:
    """Between Entra's answer to a refresh and storing it, another process does this."""
    refresh = grants.refresh

    def refresh_then(*args: str) -> TokenResponse | EntraFailure:
        minted = refresh(*args)  # type: ignore[arg-type]
        do()
        return minted

    monkeypatch.setattr(grants, "refresh", refresh_then)


async def test_a_refresh_never_undoes_what_another_process_authorized(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault, other = world.vault(), world.vault()
    manager = world.manager(WEBSITE, vault=vault)
    await world.authorize(manager)
    first = stored(vault)
    await world.authorize(world.manager(WEBSITE, vault=other))
    newer = stored(other)
    other.change("website", lambda _: Put(to_text(first)))
    await world.clock.advance(A_DAY_AND_MORE)
    once = iter([lambda: other.change("website", lambda _: Put(to_text(newer)))])
    meanwhile(monkeypatch, manager._states["website"].grants, lambda: next(once, lambda: None)())
    assert isinstance(await manager.token("website"), Granted)
    assert stored(vault).id == newer.id != first.id


async def test_a_refresh_never_revives_what_another_process_revoked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault, other = world.vault(), world.vault()
    manager = world.manager(WEBSITE, vault=vault)
    await world.authorize(manager)
    await world.clock.advance(A_DAY_AND_MORE)
    meanwhile(
        monkeypatch,
        manager._states["website"].grants,
        lambda: other.change("website", lambda _: Remove()),
    )
    assert isinstance(await manager.token("website"), Unauthorized)
    assert vault.read("website") is None


async def test_the_first_token_of_an_application_never_undoes_what_another_process_revoked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = world.vault()
    manager = world.manager(DAEMON)
    grants = manager._states["daemon"].grants
    ask = grants.by_credential
    withdrawn = Put(to_text(Withdrawn(withdrawn_at=world.clock.now())))

    def ask_and_meanwhile(challenge: str = "") -> TokenResponse | EntraFailure:
        minted = ask(challenge)
        other.change("daemon", lambda _: withdrawn)
        return minted

    monkeypatch.setattr(grants, "by_credential", ask_and_meanwhile)
    assert isinstance(await manager.token("daemon"), Unauthorized)


async def test_a_refusal_that_was_overtaken_is_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours was revoked in Entra, while another process signed in again."""
    vault, other = world.vault(), world.vault()
    manager = world.manager(WEBSITE, vault=vault)
    await world.authorize(manager)
    stale = vault.read("website") or ""
    user = world.cloud.directory.user("wp@contoso.com")
    assert user is not None
    await world.clock.advance(A_DAY_AND_MORE)
    world.cloud.directory.revoke_sessions(user, world.clock.now())
    await world.authorize(world.manager(WEBSITE, vault=other))
    newer = other.read("website") or ""
    other.change("website", lambda _: Put(stale))
    once = iter([lambda: other.change("website", lambda _: Put(newer))])
    meanwhile(monkeypatch, manager._states["website"].grants, lambda: next(once, lambda: None)())
    assert isinstance(await manager.token("website"), Granted)


async def test_many_processes_renew_at_once_and_all_get_a_token(world: World) -> None:
    await world.authorize(world.manager(WEBSITE))
    await world.authorize(world.manager(DAEMON), DAEMON)
    managers = [world.manager(WEBSITE, DAEMON) for _ in range(5)]
    for _ in range(3):
        await world.clock.advance(A_DAY_AND_MORE)
        answers = await asyncio.gather(
            *(manager.token(name) for manager in managers for name in ("website", "daemon"))
        )
        assert all(isinstance(answer, Granted) for answer in answers)
    await world.clock.advance(A_DAY_AND_MORE)
    assert isinstance(await world.manager(WEBSITE).token("website"), Granted)


async def test_a_sign_in_while_another_process_renews_is_kept(world: World) -> None:
    daemon, admin = world.manager(WEBSITE), world.manager(WEBSITE)
    await world.authorize(daemon)
    await world.clock.advance(A_DAY_AND_MORE)
    authorizer = Authorizer(admin)
    pending = await authorizer.begin(WEBSITE, "http://localhost:1")
    assert isinstance(pending, Pending)
    async with Visitor(world.cloud.ca_file) as visitor:
        back = await visitor.sign_in(pending.authorization_url, "wp@contoso.com")
    token, stored = await asyncio.gather(
        daemon.token("website"), authorizer.complete(pending, back, "root")
    )
    assert isinstance(token, Granted)
    assert isinstance(stored, Stored)
    await world.clock.advance(A_DAY_AND_MORE)
    assert isinstance(await world.manager(WEBSITE).token("website"), Granted)


async def test_an_authorization_that_changes_each_time_is_a_vault_problem(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two relays on one state directory, both authorizing: neither may loop."""
    vault, other = world.vault(), world.vault()
    manager = world.manager(WEBSITE, vault=vault)
    await world.authorize(manager)
    first = stored(vault)
    await world.clock.advance(A_DAY_AND_MORE)
    numbers = iter("ab")

    def authorize_again() -> None:
        again = to_text(replace(first, id=next(numbers)))
        other.change("website", lambda _: Put(again))

    meanwhile(monkeypatch, manager._states["website"].grants, authorize_again)
    answer = await manager.token("website")
    assert isinstance(answer, VaultProblem)
    assert answer.remedy == "Run one graphrelay at a time."
    assert next(numbers, None) is None, "it was asked twice"
