"""Authorizing with a real browser: what a person sees, and the result."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psutil
import pytest

from graphrelay.cli.demo import authorize
from graphrelay.control.verb import Output
from graphrelay.sandbox.visitor import Visitor
from tests.clock import FakeClock, settle
from tests.e2e.person import Person, person
from tests.e2e.scenarios import PERSONS, asked, relay_for
from tests.e2e.test_scenarios import one_message, status
from tests.world import World, world

USER = next(case for case in PERSONS if str(case) == "user by browser")


class Asking:
    """`graphrelay authorize`, running beside the browser."""

    def __init__(self, here: World) -> None:
        self._here = here
        self.url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.last: Output = {}
        self.task = asyncio.create_task(self._ask())

    @property
    async def redirect_uri(self) -> str:
        return parse_qs(urlsplit(await self.url).query)["redirect_uri"][0]

    async def _ask(self) -> None:
        async for event in asked(self._here, "authorize", by="root"):
            self.last = event
            if event["kind"] == "open":
                self.url.set_result(event["url"])

    async def ended(self) -> Output:
        await asyncio.wait_for(self.task, 30)
        return self.last


@asynccontextmanager
async def relay(
    folder: Path, environment: pytest.MonkeyPatch, clock: FakeClock | None = None
) -> AsyncIterator[World]:
    async with relay_for(USER, folder, environment, clock=clock) as here:
        yield here


def listens(redirect_uri: str) -> bool:
    """Whether this process, where the relay runs, has the port of the redirect open."""
    port = urlsplit(redirect_uri).port
    found = psutil.Process().net_connections(kind="tcp")
    return any(one.laddr.port == port and one.status == psutil.CONN_LISTEN for one in found)


async def accepts(someone: Person, asking: Asking, email: str = USER.mailbox) -> None:
    await someone.opens(await asking.url)
    await someone.signs_in(email)
    await someone.presses("#accept")


async def test_a_person_signs_in_and_the_page_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with relay(tmp_path, monkeypatch) as here, person(tmp_path) as someone:
        asking = Asking(here)
        await accepts(someone, asking)
        assert "wp@contoso.com is authorized as account website" in await someone.reads(
            "Authorized"
        )
        last = await asking.ended()
        assert (last["kind"], last["who"]) == ("authorized", "wp@contoso.com")
        assert not listens(await asking.redirect_uri)
        assert (await status(here))["status"] == "Authorized"
        await one_message(here, USER.mailbox)


async def test_the_sign_in_page_has_the_user_name_filled_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with relay(tmp_path, monkeypatch) as here, person(tmp_path) as someone:
        asking = Asking(here)
        await someone.opens(await asking.url)
        await someone.sees("#email")
        hint = await someone.tab.evaluate("document.querySelector('#email').value")
        assert hint == "wp@contoso.com"
        asking.task.cancel()


async def test_a_person_who_refuses_consent_has_authorized_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with relay(tmp_path, monkeypatch) as here, person(tmp_path) as someone:
        asking = Asking(here)
        await someone.opens(await asking.url)
        await someone.signs_in(USER.mailbox)
        await someone.sees("#accept")
        await someone.presses("#cancel")
        text = await someone.reads("Not authorized")
        last = await asking.ended()
        assert last["kind"] == "refused"
        assert last["reason"] == text
        assert "graphrelay authorize website" in text
        assert (await status(here))["status"] == "Unauthorized"


async def test_another_user_is_refused_and_the_right_one_may_follow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with relay(tmp_path, monkeypatch) as here, person(tmp_path) as someone:
        asking = Asking(here)
        await accepts(someone, asking, "alice@contoso.com")
        text = await someone.reads("Not authorized")
        assert "alice@contoso.com signed in, but account website is for wp@contoso.com." in text
        assert (await asking.ended())["kind"] == "refused"
        assert (await status(here))["status"] == "Unauthorized"
        again = Asking(here)
        await accepts(someone, again)  # Alice's session does not help: the hint names another user.
        await someone.reads("Authorized")
        assert (await again.ended())["who"] == "wp@contoso.com"


async def test_an_answer_with_another_state_changes_nothing_and_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an attacker's page would redirect the browser."""
    async with relay(tmp_path, monkeypatch) as here, person(tmp_path) as someone:
        asking = Asking(here)
        forged = f"{await asking.redirect_uri}/?code=stolen&state=guessed"
        await someone.opens(forged)
        assert "another sign-in" in await someone.reads("Not this sign-in")
        assert not asking.task.done()
        assert not here.cloud.grant_types  # The code went nowhere.
        await accepts(someone, asking)
        await someone.reads("Authorized")
        assert (await asking.ended())["kind"] == "authorized"


async def test_a_closed_browser_leaves_nothing_behind_when_its_person_gives_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with relay(tmp_path, monkeypatch) as here:
        asking = Asking(here)
        async with person(tmp_path) as someone:
            await someone.opens(await asking.url)
            await someone.sees("#email")
        assert not asking.task.done()
        assert listens(await asking.redirect_uri)
        asking.task.cancel()  # Ctrl-C: the command line disconnects.
        await asyncio.gather(asking.task, return_exceptions=True)
        async with asyncio.timeout(10):
            while listens(await asking.redirect_uri):
                await settle()
        assert (await status(here))["status"] == "Unauthorized"


async def test_a_closed_browser_is_waited_for_ten_minutes_and_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock()
    async with relay(tmp_path, monkeypatch, clock) as here:
        asking = Asking(here)
        async with person(tmp_path) as someone:
            await someone.opens(await asking.url)
            await someone.sees("#email")
        while not asking.task.done():
            await clock.advance(timedelta(seconds=1))
        last = await asking.ended()
        assert last["kind"] == "refused"
        assert "Nobody signed in in time" in last["reason"]
        assert not listens(await asking.redirect_uri)


async def test_signing_in_anew_replaces_the_old_authorization_in_one_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with relay(tmp_path, monkeypatch) as here, person(tmp_path) as someone:
        first = Asking(here)
        await accepts(someone, first)
        await someone.reads("Authorized")
        await first.ended()
        before = await status(here)
        second = Asking(here)
        await someone.opens(await second.url)  # The browser remembers who signed in, and consent.
        await someone.reads("Authorized")
        await second.ended()
        after = await status(here)
        assert before["status"] == after["status"] == "Authorized"
        assert after["authorized_at"] >= before["authorized_at"]
        await one_message(here, USER.mailbox)


async def test_an_address_that_was_cut_off_is_asked_for_again_and_one_account_needs_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with relay(tmp_path, monkeypatch) as here:
        events: list[Output] = []
        pasted: list[str] = []

        async def paste(what: str) -> str:
            assert what == "redirected"
            if not pasted:
                async with Visitor(here.cloud.ca_file) as visitor:
                    back = await visitor.sign_in(events[-1]["url"], USER.mailbox)
                pasted.extend([back, back[:40]])
            return pasted.pop()

        async for event in asked(here, "authorize", paste, account=None, method="paste"):
            events.append(event)
    assert [event["kind"] for event in events[-3:]] == [
        "open-elsewhere",
        "incomplete",
        "authorized",
    ]
    assert events[-2]["missing"] in ("code", "state")


async def test_an_application_without_a_permission_that_it_needs_is_not_authorized(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, account="exact_once = true\n", authorized=False) as here:
        end = await authorize(here.cloud, here.relay)
    assert end["kind"] == "refused"
    assert "may sign in, but Mail.ReadWrite is missing. Grant Mail.ReadWrite as" in end["reason"]
