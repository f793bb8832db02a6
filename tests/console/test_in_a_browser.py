"""What people do at the console, in a real Chromium, with a real relay and the sandbox's cloud."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from graphrelay.sandbox.directory import PUBLIC_CLIENT
from tests.console.browsing import (
    Seen,
    accept,
    consented,
    entered,
    focused,
    loaded,
    person,
    submit,
)
from tests.console.conftest import HASH, PASSWORD
from tests.sandbox.entra.test_pages import typed
from tests.sandbox.page.browser import opened_at
from tests.sandbox.page.test_reader import NASTY, Tracker, tracker
from tests.world import World

__all__ = ["tracker"]  # a fixture

OTTO = f"""
[[console.users]]
name = "otto"
password_hash = "{HASH}"
role = "operator"
"""


async def test_an_account_is_authorized_from_nothing_and_a_test_message_arrives(
    tmp_path: Path,
) -> None:
    async with person(tmp_path, authorized=False) as seen:
        await seen.shows("h2", "What needs a person")
        await seen.visit("/accounts")
        await seen.shows("h2", "Unauthorized")
        await seen.press("button[value=paste]")
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


async def accepted_in_a_new_tab(seen: Seen) -> None:
    """What the person does where the button has led to."""
    async with opened_at(seen.world.cloud.login_url, seen.tab) as other:
        await accept(other)
        await Seen(seen.world, other).shows("p", "wp@contoso.com")


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
async def test_one_click_leads_to_microsoft_in_a_new_tab_and_the_page_shows_the_result(
    tmp_path: Path, scripts: bool
) -> None:
    async with person(tmp_path, authorized=False) as seen:
        await seen.tab.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        await seen.visit("/accounts")
        await loaded(seen.tab)
        await seen.press_by_key("button[value=browser]")
        await accepted_in_a_new_tab(seen)
        await seen.tab.call("Page.bringToFront")
        async with asyncio.timeout(30):
            while "Authorize again" not in await seen.tab.evaluate("document.body.innerText"):
                if not scripts:
                    await seen.visit("/accounts")
        assert await seen.tab.evaluate("location.pathname") == "/accounts"


async def test_an_account_is_authorized_by_a_code_and_the_page_shows_how_far_it_is(
    tmp_path: Path,
) -> None:
    async with person(tmp_path, authorized=False) as seen:
        await seen.visit("/accounts")
        await seen.press("button[value=device]")
        await seen.shows("p", "Waiting for the sign-in")
        left = "parseInt(document.body.innerText.match(/sign-in, (\\d+) s/)[1])"
        first = await seen.tab.evaluate(left)
        await seen.tab.until(f"{left} < {first}")
        code = await seen.tab.evaluate("document.querySelector('pre').textContent.trim()")
        address = await seen.tab.evaluate('document.querySelector("a[target=_blank]").href')
        await seen.tab.evaluate("document.querySelector('[data-copy]').focus()")
        await seen.tab.press_text("\r")
        await seen.shows("[data-copy]", "Copied")
        await entered(address, code, tmp_path)
        await seen.shows(".note.good", "Authorized.")
        await seen.visit("/accounts")
        await seen.shows("h2", "Authorized")


async def test_a_message_is_sent_again_and_its_file_is_there(tmp_path: Path) -> None:
    extra = '\n[log]\nkeep_messages = "1d"\n'
    async with person(tmp_path, extra=extra) as seen:
        await asyncio.to_thread(submit, seen.world, "Order")
        await seen.world.event("relayed")
        await seen.visit("/log")
        await seen.press_named("Send again")
        await seen.shows("h1", "Send ")
        await typed(seen.tab, "[name=reason]", "the recipient lost it")
        await seen.press("main form button")
        await seen.shows("h1", "Order")
        await seen.world.until(lambda: len(seen.world.events("relayed")) == 2)
        await seen.visit("/log")
        await seen.shows("td", "the recipient lost it (by root)")
        one, again = seen.world.cloud.mailboxes.submitted
        assert one.submitted.sha256 == again.submitted.sha256


async def test_moments_of_a_search_are_typed_in_the_zone_of_the_browser(tmp_path: Path) -> None:
    async with person(tmp_path) as seen:
        await seen.tab.call("Emulation.setTimezoneOverride", timezoneId="Asia/Tokyo")
        await seen.visit("/log")
        await seen.shows("label", "Since (Asia/Tokyo)")
        await seen.tab.evaluate("document.querySelector('[name=since]').value = '2026-11-23T21:00'")
        await seen.press_named("Search")
        await seen.shows("label", "Since (Asia/Tokyo)")
        await seen.tab.until("location.search.includes('since=2026-11-23T12%3A00')")
        shown = "document.querySelector('[name=since]').value"
        await seen.tab.until(f"{shown} === '2026-11-23T21:00'")


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


async def test_an_overview_that_is_older_than_the_last_change_renews_itself_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a long queue, where it is kept for long; and nothing else happens meanwhile."""
    monkeypatch.setattr("graphrelay.console.shared.PAUSE", timedelta(seconds=8))
    async with person(tmp_path) as seen:
        await seen.visit("/")
        await asyncio.to_thread(submit, seen.world, "Order")
        await seen.world.event("relayed")
        so_far = len(seen.world.entries)
        async with asyncio.timeout(60):
            await seen.shows("[data-live=figures] div:first-child dd", "1")
        assert len(seen.world.entries) == so_far


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
        await seen.tab.press_text("\r")
        await seen.world.until(lambda: bool(seen.world.events("acted")))
        assert seen.world.events("acted")[0].fields["what"] == "check status"


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


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
async def test_one_click_on_the_overview_leads_to_microsoft_and_it_says_that_all_is_well(
    tmp_path: Path, scripts: bool
) -> None:
    async with person(tmp_path, authorized=False) as seen:
        await seen.tab.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        await seen.visit("/")
        await loaded(seen.tab)
        await seen.click_as_a_person("form[target=_blank] button")
        await accepted_in_a_new_tab(seen)
        await seen.world.event("authorized")
        await seen.tab.call("Page.bringToFront")
        while "Everything is well." not in await seen.tab.evaluate("document.body.innerText"):
            if not scripts:
                await seen.visit("/")
        assert await seen.tab.evaluate("location.pathname") == "/"


@pytest.mark.parametrize(
    ("scripts", "scheme", "width"),
    [(True, "light", 1280), (True, "dark", 360), (False, "light", 360), (False, "dark", 1280)],
)
async def test_every_other_act_is_done_by_the_keyboard(
    tmp_path: Path, scripts: bool, scheme: str, width: int
) -> None:
    """With a password, from signing in to signing out."""
    async with person(tmp_path, extra=OTTO) as seen:
        tab, here = seen.tab, seen.world
        await tab.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        await tab.prefer(scheme)
        await tab.resize(width, 900)
        await seen.visit("/accounts")
        await seen.does("Sign out", "Sign in")
        await typed(tab, "[name=name]", "otto")
        await typed(tab, "[name=password]", PASSWORD)
        await seen.does("Sign in", "Overview")
        await seen.visit("/accounts")
        await seen.does("Check status", "Accounts")
        await seen.does("With a code", "Authorize: website")
        await seen.does("Stop", "Accounts")
        await seen.does("Delete authorization", "Delete the authorization of website?")
        await seen.does("Delete authorization", "Accounts")
        for subject in ("One", "Two"):
            await asyncio.to_thread(submit, here, subject)
        await seen.visit("/queue")
        await seen.does("Hold all", "Hold 2 messages?")
        await typed(tab, "[name=reason]", "a trial")
        await seen.does("Hold", "Queue")
        await seen.does("Release all", "Release 2 messages?")
        await seen.does("Release", "Queue")
        await seen.does("Try all again now", "Try again now: 2 messages?")
        await seen.does("Try again now", "Queue")
        await seen.does("Hold", "One")
        await seen.does("Release", "One")
        await seen.does("Try again now", "One")
        await seen.visit("/queue")
        await seen.does("Delete all", "Delete 2 messages?")
        await seen.does("Delete", "Queue")
        assert "0 messages wait" in await tab.evaluate("document.body.innerText")
        await seen.visit("/log")
        assert "a trial (by otto)" in await tab.evaluate("document.body.innerText")
        await seen.does("Sign out", "Sign in")
        acts = [str(entry.fields["what"]) for entry in here.events("acted")]
        assert acts == [
            "check status",
            "authorize (device)",
            "stop authorize",
            "delete authorization",
            "hold mail",
            "release mail",
            "retry mail",
            "hold mail",
            "release mail",
            "retry mail",
            "delete mail",
        ]
        assert {entry.fields["who"] for entry in here.events("acted")} == {"otto"}
        assert tab.problems == []


MORE = """<link rel="preconnect" href="http://evil.example">
<link rel="prefetch" href="http://evil.example/p"><svg><image href="http://evil.example/i"/>
<use href="http://evil.example/u#a"/><foreignObject><iframe src="http://evil.example/f"></iframe>
</foreignObject><style>@font-face { font-family: a; src: url(http://evil.example/font) }
* { font-family: a; cursor: url(http://evil.example/c), auto }</style></svg>
<video src="http://evil.example/v" poster="http://evil.example/o" autoplay></video>
<audio src="http://evil.example/a" autoplay></audio><embed src="http://evil.example/e">
<input type="image" src="http://evil.example/n"><table background="http://evil.example/t"><tr><td>
<a id="out" href="http://evil.example/x" ping="http://evil.example/ping" target="_top">x</a>
<math><mtext><img src="http://evil.example/m"></mtext></math><img srcset="http://evil.example/s 2x">
<script type="speculationrules">{"prefetch":[{"source":"list","urls":["http://evil.example/r"]}]}
</script><template shadowrootmode="open"><img src="http://evil.example/h"></template>
"""


async def test_nothing_in_the_html_of_a_message_runs_or_loads_anything(
    tmp_path: Path, tracker: Tracker
) -> None:
    nasty = (MORE + NASTY).replace("evil.example", f"127.0.0.1:{tracker.port}")
    head = "To: alice@contoso.com\nMIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\n\n"

    def send(here: World) -> None:
        with here.client() as client:
            text = f"From: wp@contoso.com\n{head}{nasty}".replace("\n", "\r\n")
            client.sendmail("wp@contoso.com", ["alice@contoso.com"], text)

    async with person(tmp_path, extra='\n[log]\nkeep_messages = "1d"\n') as seen:
        await asyncio.to_thread(send, seen.world)
        await seen.world.event("relayed")
        message = f"/message/{seen.world.events('relayed')[0].queue_id}"
        await seen.visit(f"{message}/content")
        title = await seen.tab.evaluate("document.title")
        await seen.tab.until(
            "performance.getEntriesByType('resource')"
            ".some((one) => one.name.endsWith('/html') && one.responseEnd)"
        )
        assert await seen.tab.evaluate("document.querySelector('iframe').contentDocument") is None
        for path in (f"{message}/html", f"{message}/content"):
            await seen.visit(path)
            assert await seen.tab.evaluate("typeof window.hacked") == "undefined"
        assert await seen.tab.evaluate("document.title") == title
        assert tracker.visits == 0
        # The same without a policy is loaded, so that it can be seen here.
        (tmp_path / "page.html").write_text(nasty, "utf-8")
        await seen.tab.call("Page.navigate", url=(tmp_path / "page.html").as_uri())
        async with asyncio.timeout(30):
            while not tracker.visits:
                await seen.tab.evaluate("1")
