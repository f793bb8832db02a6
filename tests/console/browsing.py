"""The console as people use it: a real Chromium, a real relay, and the sandbox's cloud."""

import asyncio
import json
import os
import smtplib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.entra.test_pages import appears, click, typed
from tests.sandbox.page.browser import PageWasLeftError, Tab, browser
from tests.tools import ROOT, needs
from tests.world import World, world

PICTURES = ROOT / "docs" / "pictures"
SUBJECTS = (
    "Your order 4711 has been sent",
    "Backup of srv-07 finished",
    "הזמנה מספר 4711",
    "<script>document.title = 'taken'</script>",
)


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

    async def press_by_key(self, selector: str) -> None:
        """As a person does: a script may open no new tab."""
        await appears(self.tab, selector)
        await self.tab.evaluate(f"document.querySelector({selector!r}).focus()")
        await self.tab.press_text("\r")

    async def click_as_a_person(self, selector: str) -> None:
        """At once, so that a page that renews itself cannot put another button there meanwhile."""
        await appears(self.tab, selector)
        await self.tab.call(
            "Runtime.evaluate",
            expression=f"document.querySelector({selector!r}).click()",
            userGesture=True,
        )

    async def does(self, text: str, following: str) -> None:
        """Press the first button that says so by a key; then a page with this heading comes."""
        words = json.dumps(text)
        focus = (
            "(() => { const one = [...document.querySelectorAll('button, a.button')].find("
            f"(one) => one.textContent.trim() === {words} && one.checkVisibility());"
            " one?.focus(); return document.activeElement === one; })()"
        )
        await self._becomes(focus)
        await self.tab.evaluate("void (window.left = false)")
        await self.tab.press_text("\r")
        heading = f"document.querySelector('h1')?.textContent.trim() === {json.dumps(following)}"
        await self._becomes(
            f"window.left === undefined && document.readyState === 'complete' && {heading}"
        )

    async def _becomes(self, condition: str) -> None:
        """Wait without a promise of the page: its scripts may be off, and it may be left."""
        while True:
            with suppress(PageWasLeftError):
                if await self.tab.evaluate(condition):
                    return

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
async def person(
    tmp_path: Path, *, authorized: bool = True, extra: str = ""
) -> AsyncIterator[Seen]:
    """Signed in by a link. `extra` is more of the configuration."""
    needs("chromium")
    console = "127.0.0.1:0"
    async with (
        world(
            tmp_path, scenario="user", console=console, authorized=authorized, extra=extra
        ) as here,
        browser(tmp_path / "profile", "--ignore-certificate-errors") as tab,
    ):
        seen = Seen(here, tab)
        await seen.sign_in()
        yield seen


def submit(
    here: World,
    subject: str,
    recipient: str = "alice@contoso.com",
    sender: str = "wp@contoso.com",
) -> None:
    with here.client() as client:
        text = f"From: {sender}\r\nTo: {recipient}\r\nSubject: {subject}\r\n\r\nHello.\r\n"
        client.sendmail(sender, [recipient], text.encode(), ["SMTPUTF8", "BODY=8BITMIME"])


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
    """Into docs/ if new pictures are wanted, and the page there shows it."""
    shown = f"pictures/{name}.png" in (ROOT / "docs" / "console.md").read_text("utf-8")
    folder = PICTURES if shown and os.environ.get("GRAPHRELAY_PICTURES") else tmp_path
    return folder / f"{name}.png"


async def consented(address: str, tmp_path: Path) -> str:
    """Sign in at `address` in another browser, and accept; where it is sent then."""
    async with browser(tmp_path / "other") as other:
        await other.call("Security.setIgnoreCertificateErrors", ignore=True)
        await other.open(address)
        await accept(other)
        return await redirected(other)


async def accept(tab: Tab) -> None:
    """The pages of a sign-in, whose user name is filled in."""
    await appears(tab, "#email")
    await typed(tab, "#password", "pass")
    await click(tab, "#sign-in")
    await appears(tab, "#accept")
    await click(tab, "#accept")


async def entered(address: str, code: str, tmp_path: Path) -> None:
    """Enter the code of a device in another browser, and sign in there."""
    async with browser(tmp_path / "other") as other:
        await other.call("Security.setIgnoreCertificateErrors", ignore=True)
        await other.open(address)
        await appears(other, "#code")
        await typed(other, "#code", code)
        await click(other, "#next")
        await appears(other, "#email")
        await typed(other, "#email", "wp@contoso.com")
        await accept(other)
        await appears(other, "#done")


async def redirected(tab: Tab) -> str:
    """Where the browser ended: a page that cannot be displayed."""
    async with asyncio.timeout(30):
        while True:
            ends = [url for url in tab.requests if url.startswith("http://localhost/?")]
            if ends:
                return ends[0]
            await asyncio.sleep(0.05)  # no promise of a page that is about to be left


async def loaded(tab: Tab) -> None:
    """Wait for the page, without a promise of it: its scripts may be off."""
    while not await tab.evaluate("document.readyState == 'complete' && !!document.activeElement"):
        pass


async def focused(tab: Tab) -> str:
    """What has the focus; asked by the debugger, whose scripts run all the same."""
    text = await tab.evaluate("document.activeElement?.textContent.trim()")
    return str(text)
