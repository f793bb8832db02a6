"""Every page of the console, as people with all kinds of eyes, hands and browsers have it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from graphrelay.console.app import make_app
from tests.console.browsing import (
    SUBJECTS,
    Seen,
    focused,
    loaded,
    person,
    picture,
    some_mail,
    submit,
)
from tests.console.conftest import HASH, Opened
from tests.sandbox.entra.test_pages import appears

EXTRA = """
[log]
keep_messages = "1d"
[smtp]
transcripts = ["127.0.0.1"]
[[console.users]]
name = "otto"
password_hash = "HASH"
role = "operator"
""".replace("HASH", HASH)
HTML = """From: wp@contoso.com
To: alice@contoso.com
Subject: Report of the week
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/html; charset=utf-8

<h1>Report</h1><p>All went well.</p>
--b
Content-Type: application/pdf; name="report.pdf"
Content-Transfer-Encoding: base64

JVBERi0xLjcK
--b--
"""


@dataclass(frozen=True, slots=True)
class Page:
    """A page, and how one comes to it."""

    name: str
    route: str
    """As the application has it; empty for the answer to a form, and for an error."""
    path: str
    button: str = ""
    """To be pressed there."""


MESSAGE = "/message/{queue_id}"
PAGES = (
    Page("overview", "/", "/"),
    Page("accounts", "/accounts", "/accounts"),
    Page("setup", "/setup", "/setup"),
    Page("setup-user", "/setup", "/setup?scenario=user"),
    Page("setup-scoped-users", "/setup", "/setup?scenario=scoped-users&credential=secret"),
    Page("queue", "/queue", "/queue"),
    Page("message", MESSAGE, "/message/{kept}"),
    Page("message-held", MESSAGE, "/message/{held}"),
    Page("content", f"{MESSAGE}/content", "/message/{kept}/content"),
    Page("log", "/log", "/log"),
    Page("log-refused", "/log/refused", "/log/refused"),
    Page("log-transcript", "/log/transcript", "/log/transcript?client=127.0.0.1"),
    Page("settings", "/settings", "/settings"),
    Page("dialog", "/dialogs/{dialog}", "/dialogs/{dialog}"),
    Page("sign-in", "/sign-in", "/sign-in"),
    Page("enter", "/enter/{link}", "/enter/{link}"),
    Page("question", "", "/message/{kept}", "Send again"),
    Page("question-without-reason", "", "/queue", "Try all again now"),
    Page("no-page", "", "/nothing"),
)
NOT_PAGES = {
    "/events",
    "/healthz",
    "/log.csv",
    "/log/refused.csv",
    "/metrics",
    "/readyz",
    "/sign-in/microsoft",
    "/sign-in/microsoft/begin",
    f"{MESSAGE}/files/{{number}}",
    f"{MESSAGE}/html",
    "/static/console.css",
    "/static/console.js",
    "/static/icon.svg",
}


async def test_no_page_is_forgotten_here(opened: Opened) -> None:
    app = make_app(opened.console._desk)
    routes = {
        route.resource.canonical
        for route in app.router.routes()
        if route.method == "GET"
        if route.resource
    }
    assert routes - NOT_PAGES == {page.route for page in PAGES if page.route}


@dataclass(slots=True)
class Visitor:
    """A person at a console in which there is something on each page."""

    seen: Seen
    names: dict[str, str]

    async def visit(self, page: Page) -> None:
        link = ""
        if page.name == "enter":
            assert self.seen.world.relay.console
            link = self.seen.world.relay.console.link("root").rpartition("/")[2]
        await self.seen.visit(page.path.format(**self.names, link=link))
        if page.button:
            await self.seen.press_named(page.button)
            await appears(self.seen.tab, "form [name=sure]")
        await loaded(self.seen.tab)


@asynccontextmanager
async def visitor(tmp_path: Path) -> AsyncIterator[Visitor]:
    async with person(tmp_path, extra=EXTRA) as seen:
        here = seen.world
        await some_mail(here)
        await asyncio.to_thread(submit_html, here)
        await here.until(lambda: len(here.events("relayed")) == len(SUBJECTS) + 1)
        kept = here.events("relayed")[-1].queue_id
        await here.relay.tokens.revoke("website")
        await asyncio.to_thread(submit, here, "Disk of srv-08 is nearly full")
        held = here.events("accepted")[-1].queue_id
        await here.relay.queue.hold(str(held), "looked at by anna")
        await asyncio.to_thread(submit, here, "Invoice 2026-118")
        await seen.visit("/accounts")
        await seen.press("button[value=device]")
        await seen.heading("Authorize: website")
        dialog = await seen.tab.evaluate("location.pathname.split('/').pop()")
        yield Visitor(seen, {"kept": str(kept), "held": str(held), "dialog": dialog})


def submit_html(here: object) -> None:
    with here.client() as client:  # type: ignore[attr-defined]
        client.sendmail("wp@contoso.com", ["alice@contoso.com"], HTML.replace("\n", "\r\n"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
async def test_every_page_is_accessible_and_fits(scheme: str, width: int, tmp_path: Path) -> None:
    found: dict[str, list[str]] = {}
    async with visitor(tmp_path) as here:
        seen = here.seen
        await seen.tab.prefer(scheme)
        await seen.tab.resize(width, 900)
        for page in PAGES:
            await here.visit(page)
            wrong = await seen.violations()
            if await seen.is_wider_than_the_window():
                wrong.append("wider than the window")
            if wrong:
                found[page.name] = wrong
            await seen.tab.picture(picture(f"console-{page.name}-{scheme}-{width}", tmp_path))
        assert found == {}, json.dumps(found, indent=1)
        assert seen.tab.problems == []
        assert all(url.startswith(seen.url) for url in seen.tab.requests if "http" in url[:4])
        assert await seen.tab.evaluate("document.title") != "taken"


CONTROLS = """(() => {
    const kinds = 'a[href], button, input, select, summary, pre, [tabindex="0"]';
    const all = [...document.querySelectorAll(kinds)];
    const shown = all.filter((one) => one.checkVisibility() && one.type !== 'hidden');
    const first = (one) => one.type !== 'radio' || one.checked ||
        !document.querySelector(`input[name="${one.name}"]:checked`);
    const group = new Set();
    return shown.filter((one) => {
        if (one.type !== 'radio') return true;
        const name = one.form?.action + one.name;
        if (!first(one) || group.has(name)) return false;
        group.add(name);
        return true;
    });
})()"""
"""What can be reached by Tab, in order: of radio buttons the one that is chosen, or the first."""


async def test_every_control_of_every_page_is_reached_and_worked_by_the_keyboard_alone(
    tmp_path: Path,
) -> None:
    missed: dict[str, list[str]] = {}
    async with visitor(tmp_path) as here:
        tab = here.seen.tab
        for page in PAGES:
            await here.visit(page)
            await tab.evaluate(
                f"window.controls = {CONTROLS}; window.clicked = null;"
                "document.activeElement?.blur();"
                "document.addEventListener('click', (event) => {"
                "  event.preventDefault(); event.stopImmediatePropagation();"
                "  window.clicked = document.activeElement; }, true)"
            )
            count = await tab.evaluate("controls.length")
            assert count >= 2, page.name
            reached: set[int] = set()
            # A moment has places of its own for the day, the month, and so on.
            moments = await tab.evaluate("document.querySelectorAll('[data-moment]').length")
            for _ in range(count + 3 + 8 * moments):
                await tab.press("Tab")
                place, kind, outline = await tab.evaluate(
                    "(() => { const one = document.activeElement, style = getComputedStyle(one);"
                    " return [controls.indexOf(one), one.type || one.tagName,"
                    "   style.outlineStyle != 'none' && parseFloat(style.outlineWidth) >= 2]; })()"
                )
                if place < 0 or place in reached:
                    continue
                reached.add(place)
                what = await tab.evaluate(f"controls[{place}].outerHTML.slice(0, 120)")
                if not outline:
                    missed.setdefault(page.name, []).append(f"focus cannot be seen: {what}")
                if kind in ("submit", "button", "A", "checkbox"):
                    await tab.press_text("\r" if kind != "checkbox" else " ")
                    if not await tab.evaluate(f"window.clicked === controls[{place}]"):
                        missed.setdefault(page.name, []).append(f"no key works it: {what}")
            for place in set(range(count)) - reached:
                what = await tab.evaluate(f"controls[{place}].outerHTML.slice(0, 120)")
                missed.setdefault(page.name, []).append(f"not reached: {what}")
        assert missed == {}, json.dumps(missed, indent=1)


async def test_every_page_is_whole_without_javascript(tmp_path: Path) -> None:
    """The debugger's own scripts run all the same."""
    async with visitor(tmp_path) as here:
        await here.seen.tab.call("Emulation.setScriptExecutionDisabled", value=True)
        texts = {}
        for page in PAGES:
            if page.button:
                continue  # buttons are pressed by scripts here; the next test does it by keys
            await here.visit(page)
            assert await here.seen.tab.evaluate("document.querySelectorAll('h1').length") == 1
            dead = await here.seen.tab.evaluate(
                "[...document.querySelectorAll('button')].filter((one) => one.checkVisibility()"
                " && !(one.form && one.type === 'submit')).map((one) => one.outerHTML)"
            )
            assert dead == [], page.name
            texts[page.name] = await here.seen.tab.evaluate("document.body.innerText")
        assert "UTC" in texts["log"]
        assert "Disk of srv-08" in texts["queue"]
        async with asyncio.timeout(30):  # the overview is some seconds old at most
            while "Something needs a person" not in texts["overview"]:
                await here.seen.visit("/")
                texts["overview"] = await here.seen.tab.evaluate("document.body.innerText")


async def test_mail_is_released_by_the_keyboard_without_javascript(tmp_path: Path) -> None:
    async with visitor(tmp_path) as here:
        tab = here.seen.tab
        await tab.call("Emulation.setScriptExecutionDisabled", value=True)
        await here.seen.visit(f"/message/{here.names['held']}")
        await loaded(tab)
        for _ in range(30):
            await tab.press("Tab")
            if await focused(tab) == "Release":
                break
        await tab.press_text("\r")
        await here.seen.world.event("released")
