"""From a relay without an account to the first test mail, in a real Chromium, for each scenario."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from graphrelay.clock import SystemClock
from graphrelay.control.verbs.reload import ReloadRequests
from graphrelay.daemon.relay import running
from graphrelay.daemon.signals import Reloader
from graphrelay.daemon.systemd import Notifier
from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.config import limit_to_scope
from graphrelay.sandbox.directory import CLIENT_SECRET, CONFIDENTIAL_CLIENT, PUBLIC_CLIENT
from tests.console.browsing import Seen, consented, picture
from tests.sandbox.entra.test_pages import appears, typed
from tests.sandbox.page.browser import browser
from tests.tools import needs
from tests.world import World, found_in, hearing

CONFIG = """state_directory = "{state}"
[[smtp.listeners]]
address = "127.0.0.1:0"
[console]
address = "127.0.0.1:0"
[cloud]
name = "custom"
login_url = "{cloud.login_url}"
graph_url = "{cloud.graph_url}"
ca_file = "{cloud.ca_file}"
[vault]
backend = "file"
"""
TENANT = "contoso.onmicrosoft.com"
PERSON = {"client_id": PUBLIC_CLIENT}
APPLICATION = {"tenant": TENANT, "client_id": CONFIDENTIAL_CLIENT, "client_secret": CLIENT_SECRET}
ANSWERS = {
    "user": PERSON | {"tenant": TENANT, "username": "wp@contoso.com"},
    "personal": PERSON | {"username": "me@outlook.com"},
    "any-user": APPLICATION | {"mailboxes": "wp@contoso.com, *@contoso.com"},
    "scoped-users": APPLICATION | {"mailboxes": "info@contoso.com"},
}


@asynccontextmanager
async def from_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Seen]:
    """A relay without an account, as `serve` runs it, and an operator in its console."""
    needs("chromium")
    monkeypatch.delenv("GRAPHRELAY_CONSOLE__ADDRESS", raising=False)
    config = tmp_path / "config.toml"
    async with Sandbox() as cloud:
        config.write_text(CONFIG.format(state=tmp_path / "state", cloud=cloud), "utf-8")
        found, clock, reloads = found_in(config), SystemClock(), ReloadRequests()
        hear, entries, told = hearing()
        async with running(found.settings, clock, hear, reloads=reloads, config=config) as relay:
            reloader = Reloader(config, found, relay, Notifier(), clock)
            reloading = asyncio.create_task(reloader.run(reloads))
            try:
                async with browser(tmp_path / "profile") as tab:
                    await tab.call("Security.setIgnoreCertificateErrors", ignore=True)
                    seen = Seen(World(cloud, relay, config, entries, told), tab)
                    await seen.sign_in()
                    yield seen
            finally:
                reloading.cancel()
                await asyncio.gather(reloading, return_exceptions=True)


async def signed_in(seen: Seen, tmp_path: Path) -> None:
    """Authorize by pasting the address, with the sandbox's sign-in in another browser."""
    await seen.press("input[value=paste]")
    await seen.press("form[action$='/authorize'] button")
    await seen.heading("Authorize: website")
    address = await seen.tab.evaluate('document.querySelector("a[target=_blank]").href')
    ended = await consented(address, tmp_path)
    await typed(seen.tab, "[name=answer]", ended)
    await seen.press("form[action$='/answer'] button")
    await seen.shows(".note.good", "Authorized.")
    await seen.visit("/accounts")


async def chosen(seen: Seen, scenario: str) -> None:
    await seen.visit("/")
    await seen.press("main a[href='/setup']")
    await seen.heading("Set up an account")
    await seen.press(f"input[value={scenario}]")
    await seen.press("main form button")
    await appears(seen.tab, "[name=client_id]")
    if scenario in ("any-user", "scoped-users"):
        await seen.press("input[value=secret]")
        await seen.press("main form[method=get] button")
        await appears(seen.tab, "[name=client_secret]")


@pytest.mark.parametrize(
    ("scenario", "scripts"),
    [*((one, True) for one in ANSWERS), ("any-user", False), ("scoped-users", False)],
)
async def test_from_no_account_to_a_test_message_in_the_mailbox(
    scenario: str, scripts: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with from_nothing(tmp_path, monkeypatch) as seen:
        if scenario == "scoped-users":
            limit_to_scope(seen.world.cloud.directory)
        if not scripts:
            await seen.tab.call("Network.setBlockedURLs", urls=["*console.js"])
            await seen.visit("/")
        await seen.shows(".note", "No account is configured yet.")
        await chosen(seen, scenario)
        for key, answer in ANSWERS[scenario].items():
            await typed(seen.tab, f"[name={key}]", answer)
        assert await seen.violations() == []
        await seen.press("button[value=write]")
        await seen.heading("Accounts")
        await seen.shows("h2", "website")
        if scenario in ("user", "personal"):
            await signed_in(seen, tmp_path)
        await typed(seen.tab, "[name=to]", "alice@contoso.com")
        await seen.press("form[action$='/test'] button")
        await seen.world.event("relayed")
        assert len(seen.world.cloud.mailboxes.submitted) == 1
        acts = [entry.fields["what"] for entry in seen.world.events("acted")]
        assert acts[0] == "set up an account"
        assert CLIENT_SECRET not in str(seen.world.entries)


async def test_answers_are_checked_while_they_are_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with from_nothing(tmp_path, monkeypatch) as seen:
        await chosen(seen, "user")
        await typed(seen.tab, "[name=tenant]", "contoso")
        await seen.shows("#field-tenant-problem", "must be a domain such as contoso.com")
        await typed(seen.tab, "[name=tenant]", ".onmicrosoft.com")
        line = f"az login --allow-no-subscriptions --tenant {TENANT}"
        await seen.shows("[data-checks=registration]", line)
        await seen.shows("#field-tenant-problem", "")
        assert seen.world.events("acted") == []


async def test_set_up_is_accessible_in_both_schemes_and_at_every_width(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with from_nothing(tmp_path, monkeypatch) as seen:
        found: dict[str, list[str]] = {}
        for scheme, width in (("light", 1280), ("dark", 360)):
            await seen.tab.prefer(scheme)
            await seen.tab.resize(width, 900)
            for scenario in ("", "user", "scoped-users"):
                await seen.visit(f"/setup?scenario={scenario}")
                name = f"setup-{scenario or 'choice'}-{scheme}-{width}"
                if wrong := await seen.violations():
                    found[name] = wrong
                if await seen.is_wider_than_the_window():
                    found.setdefault(name, []).append("wider than the window")
                if scenario != "scoped-users":
                    await seen.tab.picture(picture(f"console-{name}", tmp_path))
        assert found == {}
        assert seen.tab.problems == []
