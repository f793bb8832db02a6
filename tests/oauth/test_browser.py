"""Signing in with a real Chromium: the sandbox's page, the redirect, and what the user sees."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from graphrelay.oauth.answers import Granted, TokenRefused, Unauthorized
from graphrelay.oauth.sign_in.authorizer import (
    Authorizer,
    Pending,
    SignInResult,
    Stored,
    WrongAccount,
)
from graphrelay.oauth.sign_in.loopback import Page, RedirectReceiver
from graphrelay.oauth.tokens.manager import TokenManager
from tests.oauth.conftest import WEBSITE, World
from tests.sandbox.entra.test_pages import appears, click, typed
from tests.sandbox.page.browser import Tab, browser
from tests.tools import needs

LONG = 30.0


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    needs("chromium")
    async with browser(tmp_path / "profile") as tab:
        await tab.call("Security.setIgnoreCertificateErrors", ignore=True)
        yield tab


@asynccontextmanager
async def begun(manager: TokenManager) -> AsyncIterator[tuple[RedirectReceiver, Pending]]:
    """A sign-in that waits for its browser."""
    async with RedirectReceiver() as receiver:
        pending = await Authorizer(manager).begin(WEBSITE, receiver.redirect_uri)
        assert isinstance(pending, Pending)
        receiver.expect(pending.state)
        yield receiver, pending


async def at_sign_in(tab: Tab, pending: Pending, who: str) -> None:
    """As a person would: the address is filled in already, from the login hint."""
    await tab.open(pending.authorization_url)
    await appears(tab, "#email")
    assert await tab.evaluate("document.querySelector('#email').value") == "wp@contoso.com"
    await tab.evaluate("document.querySelector('#email').value = ''")
    await typed(tab, "#email", who)
    await typed(tab, "#password", "pass")
    await click(tab, "#sign-in")


async def finished(
    manager: TokenManager, receiver: RedirectReceiver, pending: Pending
) -> SignInResult:
    """As the program does: complete the sign-in, then show the result in the browser."""
    arrival = await asyncio.wait_for(receiver.arrival(), LONG)
    result = await Authorizer(manager).complete(pending, arrival.query, "root")
    arrival.show(Page(type(result).__name__, "You can close this window."))
    return result


async def seen(tab: Tab, title: str) -> None:
    await appears(tab, "h1")
    await tab.until(f"document.querySelector('h1').textContent === {title!r}")


async def test_the_configured_user_signs_in(world: World, tab: Tab) -> None:
    manager = world.manager()
    async with begun(manager) as (receiver, pending):
        await at_sign_in(tab, pending, "wp@contoso.com")
        await appears(tab, "#accept")
        await click(tab, "#accept")
        result = await finished(manager, receiver, pending)
        await seen(tab, "Stored")
    assert isinstance(result, Stored), result
    assert isinstance(await manager.token("website"), Granted)
    assert tab.problems == []


async def test_refused_consent_stores_nothing(world: World, tab: Tab) -> None:
    manager = world.manager()
    async with begun(manager) as (receiver, pending):
        await at_sign_in(tab, pending, "wp@contoso.com")
        await appears(tab, "#accept")
        await click(tab, "#cancel")
        result = await finished(manager, receiver, pending)
        await seen(tab, "TokenRefused")
    assert isinstance(result, TokenRefused)
    assert result.kind == "declined"
    assert isinstance(await manager.token("website"), Unauthorized)


async def test_a_wrong_account_stores_nothing(world: World, tab: Tab) -> None:
    manager = world.manager()
    async with begun(manager) as (receiver, pending):
        await at_sign_in(tab, pending, "alice@contoso.com")
        await appears(tab, "#accept")
        await click(tab, "#accept")
        result = await finished(manager, receiver, pending)
        await seen(tab, "WrongAccount")
    assert isinstance(result, WrongAccount)
    assert isinstance(await manager.token("website"), Unauthorized)


async def test_a_wrong_state_changes_nothing_and_the_right_one_still_works(
    world: World, tab: Tab
) -> None:
    manager = world.manager()
    async with begun(manager) as (receiver, pending):
        await tab.open(f"{receiver.redirect_uri}/?code=stolen&state=forged")
        await seen(tab, "Not this sign-in")
        await at_sign_in(tab, pending, "wp@contoso.com")
        await appears(tab, "#accept")
        await click(tab, "#accept")
        result = await finished(manager, receiver, pending)
    assert isinstance(result, Stored)


async def test_a_browser_that_is_closed_leaves_nothing_behind(world: World, tmp_path: Path) -> None:
    needs("chromium")
    manager = world.manager()
    async with begun(manager) as (receiver, pending):
        async with browser(tmp_path / "closed") as tab:
            await tab.call("Security.setIgnoreCertificateErrors", ignore=True)
            await tab.open(pending.authorization_url)
            await appears(tab, "#email")
        waiting = asyncio.ensure_future(receiver.arrival())
        await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()
    assert isinstance(await manager.token("website"), Unauthorized)
    again = await world.authorize(manager)
    assert isinstance(again, Stored)
