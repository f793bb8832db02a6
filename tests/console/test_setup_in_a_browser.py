"""From a relay without an account to the first test mail, in a real Chromium, for each scenario."""

import asyncio
import json
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from graphrelay.clock import SystemClock
from graphrelay.control.verbs.reload import ReloadRequests
from graphrelay.daemon.reading_process import read
from graphrelay.daemon.relay import running
from graphrelay.daemon.relay_settings import Found
from graphrelay.daemon.signals import Reloader
from graphrelay.daemon.systemd import Notifier
from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.config import limit_to_scope
from graphrelay.sandbox.directory import CLIENT_SECRET, CONFIDENTIAL_CLIENT, PUBLIC_CLIENT
from tests.console.browsing import Seen, consented, submit
from tests.sandbox.entra.test_pages import appears, typed
from tests.sandbox.page.browser import browser
from tests.tools import needs
from tests.world import World, hearing

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


def in_the_environment(text: str) -> dict[str, str]:
    """The same configuration, as a container would give it."""
    found = tomllib.loads(text)
    given = {"state_directory": found.pop("state_directory")}
    for table, keys in found.items():
        given |= {f"{table}__{key}": value for key, value in keys.items()}
    return {
        f"GRAPHRELAY_{key.upper()}": value if isinstance(value, str) else json.dumps(value)
        for key, value in given.items()
    }


@asynccontextmanager
async def from_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_file: bool = True
) -> AsyncIterator[Seen]:
    """A relay without an account, as `serve` runs it, and an operator in its console. Without a
    file, in a directory that is not there."""
    needs("chromium")
    monkeypatch.delenv("GRAPHRELAY_CONSOLE__ADDRESS", raising=False)
    config = tmp_path / "etc" / "config.toml"
    async with Sandbox() as cloud:
        text = CONFIG.format(state=tmp_path / "state", cloud=cloud)
        if has_file:
            config.parent.mkdir()
            config.write_text(text, "utf-8")
        else:
            for name, value in in_the_environment(text).items():
                monkeypatch.setenv(name, value)
        found = read(config, may_be_missing=not has_file)
        assert isinstance(found, Found)
        clock, reloads = SystemClock(), ReloadRequests()
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
    await seen.press("button[value=paste]")
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
    ("scenario", "scripts", "has_file"),
    [
        ("user", True, False),
        ("personal", True, True),
        ("any-user", True, True),
        ("scoped-users", True, True),
        ("any-user", False, False),
        ("scoped-users", False, True),
    ],
)
async def test_from_no_account_to_a_test_message_in_the_mailbox(
    scenario: str,
    scripts: bool,
    has_file: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with from_nothing(tmp_path, monkeypatch, has_file=has_file) as seen:
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


async def test_another_account_gets_the_mail_of_its_senders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with from_nothing(tmp_path, monkeypatch) as seen:
        await set_up(seen, {**ANSWERS["any-user"], "mailboxes": "wp@contoso.com"})
        second = {"account": "shop", "mailboxes": "info@contoso.com"}
        await set_up(seen, {**ANSWERS["any-user"], **second})
        await seen.shows("h2", "shop")
        for sender in ("info@contoso.com", "wp@contoso.com"):
            await asyncio.to_thread(submit, seen.world, "Order", sender=sender)
        await seen.world.until(lambda: len(seen.world.events("relayed")) == 2)
        mailboxes = [entry.fields["mailbox"] for entry in seen.world.events("relayed")]
        assert sorted(map(str, mailboxes)) == ["info@contoso.com", "wp@contoso.com"]


async def set_up(seen: Seen, answers: dict[str, str]) -> None:
    await seen.visit("/setup?scenario=any-user&credential=secret")
    for key, answer in answers.items():
        await appears(seen.tab, f"[name={key}]")
        await seen.tab.evaluate(f"document.querySelector('[name={key}]').value = ''")
        await typed(seen.tab, f"[name={key}]", answer)
    await seen.press("button[value=write]")
    await seen.heading("Accounts")
