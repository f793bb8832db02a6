"""The console as people use it: a real Chromium, a real relay, and the sandbox's cloud."""

import asyncio
import json
import os
import smtplib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from graphrelay.sandbox.directory import PUBLIC_CLIENT
from tests.sandbox.entra.test_pages import appears, click, typed
from tests.sandbox.page.browser import Tab, browser
from tests.tools import ROOT, needs
from tests.world import World, world

PICTURES = ROOT / "docs" / "pictures"
SUBJECTS = (
    "Your order 4711 has been sent",
    "Backup of srv-07 finished",
    "הזמנה מספר 4711",
    "<script>document.title = 'taken'</script>",
)
PAGES = ("/", "/accounts", "/queue", "/log", "/log/refused", "/log/transcript", "/settings")


@dataclass(slots=True)
class Seen:
    """A person at the console."""

    world: World
    tab: Tab

    @property
    def url(self) -> str:
        assert self.world.relay.console
        return self.world.relay.console.url

    async def sign_in(self) -> None:
        assert self.world.relay.console
        await self.tab.open(self.world.relay.console.link("root"))
        await self.press("main form button")
        await self.heading("Overview")

    async def visit(self, path: str) -> None:
        await self.tab.navigate(self.url + path)

    async def heading(self, text: str) -> None:
        await self.shows("h1", text)

    async def shows(self, selector: str, text: str) -> None:
        """Wait until an element with this text exists; the page may change meanwhile."""
        words = json.dumps(text)
        found = f"[...document.querySelectorAll({selector!r})]"
        while True:
            try:
                await self.tab.until(f"{found}.some((one) => one.textContent.includes({words}))")
            except AssertionError:
                continue
            return

    async def press(self, selector: str) -> None:
        await appears(self.tab, selector)
        await click(self.tab, selector)

    async def press_named(self, text: str, within: str = "main") -> None:
        """The first button or link that says so."""
        words = json.dumps(text)
        await self.tab.evaluate(
            f"void setTimeout(() => [...document.querySelectorAll('{within} button, {within} a')]"
            f".find((one) => one.textContent.trim() === {words}).click())"
        )

    async def violations(self) -> list[str]:
        """What axe-core finds against WCAG 2.2 AA. Its script is injected through the debugger."""
        rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
        await self.tab.evaluate(needs("axe").read_text("utf-8"))
        found: dict[str, Any] = await self.tab.evaluate(
            f"axe.run(document, {{runOnly: {json.dumps(rules)}}})"
            ".then((all) => ({violations: all.violations, passes: all.passes.length}))"
        )
        assert found["passes"] > 10, "it looked at nothing"
        return [
            f"{one['id']}: {one['help']}: {node['html']} {node['failureSummary']}"
            for one in found["violations"]
            for node in one["nodes"]
        ]

    async def is_wider_than_the_window(self) -> bool:
        wide: bool = await self.tab.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        )
        return wide


@asynccontextmanager
async def person(tmp_path: Path, *, authorized: bool = True) -> AsyncIterator[Seen]:
    needs("chromium")
    async with (
        world(tmp_path, scenario="user", console="127.0.0.1:0", authorized=authorized) as here,
        browser(tmp_path / "profile") as tab,
    ):
        await tab.call("Security.setIgnoreCertificateErrors", ignore=True)
        seen = Seen(here, tab)
        await seen.sign_in()
        yield seen


def submit(here: World, subject: str, recipient: str = "alice@contoso.com") -> None:
    with here.client() as client:
        text = f"From: wp@contoso.com\r\nTo: {recipient}\r\nSubject: {subject}\r\n\r\nHello.\r\n"
        client.sendmail("wp@contoso.com", [recipient], text.encode(), ["SMTPUTF8", "BODY=8BITMIME"])


async def some_mail(here: World) -> None:
    """Some relayed, and one refused at the door."""
    for number, subject in enumerate(SUBJECTS, 1):
        await asyncio.to_thread(submit, here, subject)
        await here.until(lambda wanted=number: len(here.events("relayed")) == wanted)  # type: ignore[misc]
    await asyncio.to_thread(refused, here)


def refused(here: World) -> None:
    with here.client() as client, pytest.raises(smtplib.SMTPException):
        client.sendmail("wp@contoso.com", ["no address"], "Subject: x\r\n\r\nx\r\n")


def picture(name: str, tmp_path: Path) -> Path:
    """Into docs/ if new pictures are wanted."""
    folder = PICTURES if os.environ.get("GRAPHRELAY_PICTURES") else tmp_path
    folder.mkdir(exist_ok=True)
    return folder / f"{name}.png"


async def test_every_page_is_accessible_in_both_schemes_and_at_every_width(
    tmp_path: Path,
) -> None:
    async with person(tmp_path) as seen:
        await some_mail(seen.world)
        queue_id = seen.world.events("accepted")[0].queue_id
        found: dict[str, list[str]] = {}
        for scheme in ("light", "dark"):
            await seen.tab.prefer(scheme)
            for width in (360, 1280):
                await seen.tab.resize(width, 900)
                for path in (*PAGES, f"/message/{queue_id}"):
                    await seen.visit(path)
                    name = f"{path} {scheme} {width}"
                    if violations := await seen.violations():
                        found[name] = violations
                    if await seen.is_wider_than_the_window():
                        found.setdefault(name, []).append("wider than the window")
                    short = path.strip("/").removesuffix(f"/{queue_id}").replace("/", "-")
                    if (scheme, width) in (("light", 1280), ("dark", 360)):
                        await seen.tab.picture(
                            picture(f"console-{short or 'overview'}-{scheme}-{width}", tmp_path)
                        )
        assert found == {}
        assert seen.tab.problems == []
        assert all(url.startswith(seen.url) for url in seen.tab.requests if "http" in url[:4])
        assert await seen.tab.evaluate("document.title") != "taken"


async def test_an_account_is_authorized_from_nothing_and_a_test_message_arrives(
    tmp_path: Path,
) -> None:
    async with person(tmp_path, authorized=False) as seen:
        await seen.shows("h2", "What needs a person")
        await seen.visit("/accounts")
        await seen.shows("h2", "Unauthorized")
        await seen.press("input[value=paste]")
        await seen.press("form[action$='/authorize'] button")
        await seen.heading("Authorize: website")
        address = await seen.tab.evaluate('document.querySelector("a[target=_blank]").href')
        ended = await consented(address, tmp_path)
        await typed(seen.tab, "[name=answer]", "http://localhost/?code=1")
        await seen.press("form[action$='/answer'] button")
        await seen.shows("[role=alert]", "The address is incomplete")
        await typed(seen.tab, "[name=answer]", ended)
        await seen.press("form[action$='/answer'] button")
        await seen.shows(".note.good", "Authorized.")
        await seen.visit("/accounts")
        await seen.shows("h2", "Authorized")
        await typed(seen.tab, "[name=to]", "alice@contoso.com")
        await seen.press("form[action$='/test'] button")
        await seen.shows("li", "Microsoft accepted it")
        assert len(seen.world.cloud.mailboxes.submitted) == 1
        acts = [entry.fields["what"] for entry in seen.world.events("acted")]
        assert acts == ["authorize (paste)", "send a test"]
        assert PUBLIC_CLIENT not in str(acts)


async def consented(address: str, tmp_path: Path) -> str:
    """Sign in at `address` in another browser, and accept; where it is sent then."""
    async with browser(tmp_path / "other") as other:
        await other.call("Security.setIgnoreCertificateErrors", ignore=True)
        await other.open(address)
        await appears(other, "#email")
        await typed(other, "#password", "pass")
        await click(other, "#sign-in")
        await appears(other, "#accept")
        await click(other, "#accept")
        return await redirected(other)


async def redirected(tab: Tab) -> str:
    """Where the browser ended: a page that cannot be displayed."""
    async with asyncio.timeout(30):
        while True:
            ends = [url for url in tab.requests if url.startswith("http://localhost/?")]
            if ends:
                return ends[0]
            await tab.evaluate("new Promise(requestAnimationFrame)")


async def test_a_page_that_is_open_shows_what_happens_without_being_loaded_again(
    tmp_path: Path,
) -> None:
    async with person(tmp_path) as seen:
        await seen.visit("/log")
        await seen.shows("[role=status]", "Nothing fits.")
        await seen.tab.evaluate("window.unloaded = false")
        await asyncio.to_thread(submit, seen.world, "Live")
        await seen.shows("td", "Live")
        assert await seen.tab.evaluate("window.unloaded") is False


async def test_times_are_in_the_zone_of_the_browser(tmp_path: Path) -> None:
    async with person(tmp_path) as seen:
        await seen.tab.call("Emulation.setTimezoneOverride", timezoneId="Asia/Tokyo")
        await seen.visit("/")
        await seen.shows("#zone", "Asia/Tokyo")
        utc, here = await seen.tab.evaluate(
            "[...document.querySelectorAll('footer time')].flatMap((t) =>"
            " [t.dateTime.slice(11, 13), t.textContent.slice(11, 13)])"
        )
        assert (int(utc) + 9) % 24 == int(here)


async def test_everything_works_without_javascript_and_by_the_keyboard(tmp_path: Path) -> None:
    async with person(tmp_path) as seen:
        await seen.tab.call("Emulation.setScriptExecutionDisabled", value=True)
        await seen.visit("/accounts")
        await loaded(seen.tab)
        for key in ("Tab", "Enter"):  # the link that skips the navigation
            await seen.tab.press(key)
        for _ in range(20):
            if await focused(seen.tab) == "Check status":
                break
            await seen.tab.press("Tab")
        await press_enter(seen.tab)
        await seen.world.until(lambda: bool(seen.world.events("acted")))
        assert seen.world.events("acted")[0].fields["what"] == "check status"


async def loaded(tab: Tab) -> None:
    """Wait for the page, without a promise of it: its scripts may be off."""
    while not await tab.evaluate("document.readyState == 'complete' && !!document.activeElement"):
        pass


async def focused(tab: Tab) -> str:
    """What has the focus; asked by the debugger, whose scripts run all the same."""
    text = await tab.evaluate("document.activeElement?.textContent.trim()")
    return str(text)


async def press_enter(tab: Tab) -> None:
    for kind in ("keyDown", "keyUp"):
        await tab.call(
            "Input.dispatchKeyEvent",
            type=kind,
            key="Enter",
            code="Enter",
            text="\r",
            windowsVirtualKeyCode=13,
        )


async def test_held_mail_is_deleted_after_a_question(tmp_path: Path) -> None:
    async with person(tmp_path, authorized=False) as seen:
        await asyncio.to_thread(submit, seen.world, "Waits")
        await seen.visit("/queue")
        await seen.shows("td", "Waits")
        await seen.press_named("Hold")
        await seen.shows(".label", "held")
        await seen.press_named("Read")
        await seen.shows("pre", "Hello.")
        assert await seen.violations() == []
        await seen.press_named("Back to the message")
        await seen.shows(".label", "held")
        await seen.press_named("Delete")
        await seen.shows("h1", "Delete ")
        await typed(seen.tab, "[name=reason]", "a trial")
        await seen.press("main form button")
        await seen.heading("Queue")
        await seen.shows("[role=status]", "0 messages wait")
        await seen.visit("/log")
        await seen.shows("td", "a trial (by root)")
