"""Signing in with Microsoft, against the sandbox's Entra ID: who gets in, and every way not to."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from html import unescape
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from graphrelay.console.options import ConsoleOptions, MicrosoftOptions, MicrosoftUser
from graphrelay.oauth.sign_in.authorizer import SIGN_IN_TIME
from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.directory import CONSOLE_REDIRECT
from graphrelay.sandbox.entra.faults import ChangedAnswer, EntraError
from graphrelay.sandbox.faults import CutBefore
from graphrelay.sandbox.visitor import Visitor
from tests.clock import FakeClock
from tests.console.conftest import Answer, Browser, Opened, Opening, options
from tests.oauth.conftest import DAEMON, WEBSITE, World

BEGIN = "/sign-in/microsoft/begin"
ALICE = "alice@contoso.com"
OTHER = "00000000-0000-4000-8000-000000000009"


@pytest.fixture
async def entra(tmp_path: Path) -> AsyncIterator[World]:
    clock = FakeClock()
    async with Sandbox(now=clock.now) as cloud:
        world = World(cloud, clock, tmp_path / "state")
        async with world._stack:
            yield world


def oid(entra: World, upn: str = ALICE) -> str:
    user = entra.cloud.directory.user(upn)
    assert user
    return user.oid


def users(entra: World, *named: MicrosoftUser, account: str = "website") -> ConsoleOptions:
    listed = named or (MicrosoftUser(ALICE, oid(entra), "operator"),)
    return options(microsoft=MicrosoftOptions(account, "contoso.com", "x", listed))


async def console(entra: World, opening: Opening, chosen: ConsoleOptions | None = None) -> Opened:
    return await opening(chosen or users(entra), entra.manager())


async def visitor(opened: Opened) -> Browser:
    """A browser that reaches the console by the name that Entra knows."""
    browser = await opened.browser()
    browser.base = browser.base.replace("127.0.0.1", "localhost")
    return browser


async def begun(browser: Browser, path: str = BEGIN) -> str:
    """The address at Microsoft."""
    answer = await browser.get(path)
    assert answer.status == 303, answer.text
    return answer.headers["Location"]


async def approved(entra: World, address: str, who: str = ALICE) -> str:
    """The path with which the browser comes back, after signing in there."""
    async with Visitor(entra.cloud.ca_file) as person:
        back = await person.sign_in(address, who)
    parts = urlsplit(back)
    assert parts.path == "/sign-in/microsoft"
    return f"{parts.path}?{parts.query}"


async def signed_in(entra: World, browser: Browser, who: str = ALICE) -> Answer:
    return await browser.get(await approved(entra, await begun(browser), who))


async def is_refused(opened: Opened, browser: Browser, answer: Answer, said: str) -> bool:
    """And says why, to the person and in the journal."""
    text = unescape(re.sub(r"<[^>]*>", "", answer.text))
    return (
        answer.status == 403
        and said in text
        and said in str(opened.events("sign-in-refused")[-1]["reason"])
        and (await browser.get("/")).status == 303
        and not opened.events("signed-in")
    )


# --- Who gets in ---------------------------------------------------------------------------------


@pytest.mark.parametrize("account", [WEBSITE, DAEMON], ids=["public", "with a secret"])
async def test_a_listed_user_gets_in_with_the_role_of_the_table(
    entra: World, opening: Opening, account: Any
) -> None:
    named = (MicrosoftUser(ALICE, oid(entra), "viewer"),)
    opened = await console(entra, opening, users(entra, *named, account=account.name))
    browser = await visitor(opened)
    page = await browser.get("/sign-in")
    assert f'href="{BEGIN}?next=/"' in page.text
    answer = await signed_in(entra, browser)
    assert answer.status == 200
    assert 'http-equiv="refresh" content="0; url=/"' in answer.text
    assert "alice@contoso.com</bdi>, viewer" in (await browser.get("/")).text
    assert opened.events("signed-in") == [
        {"who": ALICE, "role": "viewer", "how": "microsoft", "client": "127.0.0.1"}
    ]
    answer = await browser.post("/accounts/website/revoke", {"sure": "yes"})
    assert answer.status == 403


async def test_nothing_is_asked_for_but_who_the_user_is(entra: World, opening: Opening) -> None:
    opened = await console(entra, opening)
    browser = await visitor(opened)
    address = await begun(browser)
    assert address.startswith(f"{entra.cloud.login_url}/")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    assert set(asked["scope"].split()) == {"openid", "profile"}
    assert asked["redirect_uri"] == f"{browser.base}/sign-in/microsoft"
    assert asked["code_challenge_method"] == "S256"
    assert asked["response_mode"] == "query"
    assert asked["prompt"] == "select_account"
    assert len(asked["state"]) >= 16
    assert len(asked["nonce"]) >= 16
    await browser.get(await approved(entra, address))
    assert entra.events() == [], "nothing is stored, and nothing is authorized"
    assert not list(entra.state_directory.rglob("*.json"))


async def test_it_leads_back_to_where_the_user_was(entra: World, opening: Opening) -> None:
    opened = await console(entra, opening)
    browser = await visitor(opened)
    address = await begun(browser, f"{BEGIN}?next=/log%3Foutcome%3Dfailed%26sender%3Da")
    answer = await browser.get(await approved(entra, address))
    assert 'url=/log?outcome=failed&amp;sender=a"' in answer.text


async def test_where_nobody_is_listed_there_is_no_such_way(opened: Opened) -> None:
    browser = await opened.browser()
    assert "Microsoft" not in (await browser.get("/sign-in")).text
    assert (await browser.get(BEGIN)).status == 404
    assert (await browser.get("/sign-in/microsoft?code=x&state=x")).status == 404


async def test_entra_knows_the_console_by_the_address_of_the_browser(
    entra: World, opening: Opening
) -> None:
    assert CONSOLE_REDIRECT == "http://localhost/sign-in/microsoft"
    opened = await console(entra, opening)
    number = await opened.browser()
    answer = await number.get(f"{BEGIN}?next=/queue")
    port = opened.console.address.rpartition(":")[2]
    assert answer.headers["Location"] == f"http://localhost:{port}{BEGIN}?next=/queue"


async def test_behind_a_proxy_it_comes_back_by_https_and_the_cookies_are_secure(
    entra: World, opening: Opening
) -> None:
    redirect = "https://relay.contoso.com/sign-in/microsoft"
    for app in entra.cloud.directory.apps:
        if app.public_redirect_uris:
            app.public_redirect_uris.append(redirect)
    here = (ip_network("127.0.0.1/32"),)
    chosen = replace(users(entra), proxy_from=here, hosts=("relay.contoso.com",))
    opened = await console(entra, opening, chosen)
    browser = await opened.browser()
    browser.base = f"http://{opened.console.address}"
    through: dict[str, str] = {
        "Host": "relay.contoso.com",
        "X_Forwarded_For": "127.0.0.1",
        "X_Forwarded_Proto": "https",
    }
    answer = await browser.get(BEGIN, **through)
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-graphrelay-microsoft=")
    for flag in ("HttpOnly", "SameSite=Lax", "Secure", "Path=/", "Max-Age=600"):
        assert flag in cookie
    assert parse_qs(urlsplit(answer.headers["Location"]).query)["redirect_uri"] == [redirect]
    path = await approved(entra, answer.headers["Location"])
    answer = await browser.get(path, Cookie=cookie.partition(";")[0], **through)
    assert answer.status == 200
    session = answer.headers["Set-Cookie"]
    for flag in ("__Host-graphrelay=", "HttpOnly", "SameSite=Strict", "Secure"):
        assert flag in session


# --- Who does not --------------------------------------------------------------------------------


async def test_a_user_who_is_not_listed_stays_out(entra: World, opening: Opening) -> None:
    opened = await console(entra, opening)
    browser = await visitor(opened)
    answer = await signed_in(entra, browser, "bob@contoso.com")
    named = f"bob@contoso.com (object id {oid(entra, 'bob@contoso.com')}) is not in"
    assert await is_refused(opened, browser, answer, named)


async def test_a_user_name_that_was_given_to_somebody_else_is_not_enough(
    entra: World, opening: Opening
) -> None:
    opened = await console(entra, opening, users(entra, MicrosoftUser(ALICE, OTHER, "operator")))
    browser = await visitor(opened)
    answer = await signed_in(entra, browser)
    assert await is_refused(opened, browser, answer, f"{ALICE} (object id {oid(entra)}) is not in")


async def test_an_object_id_under_another_name_is_not_enough(
    entra: World, opening: Opening
) -> None:
    listed = MicrosoftUser("ceo@contoso.com", oid(entra), "operator")
    opened = await console(entra, opening, users(entra, listed))
    browser = await visitor(opened)
    answer = await signed_in(entra, browser)
    assert await is_refused(opened, browser, answer, "microsoft_users]] says ceo@contoso.com")
    assert opened.events("sign-in-refused")[0]["who"] == "ceo@contoso.com"


@pytest.mark.parametrize(
    ("claim", "value", "said"),
    [
        ("tid", f'"{OTHER}"', "of another tenant"),
        ("tid", "", "of another tenant"),
        ("oid", f'"{OTHER}"', "is not in [[console.microsoft_users]]"),
        ("oid", "", "names no object id"),
        ("aud", f'"{OTHER}"', "to another application"),
        ("aud", "", "to another application"),
        ("nonce", '"another"', "its nonce differs"),
        ("nonce", "", "its nonce differs"),
        ("preferred_username", '"eve@contoso.com"', "eve@contoso.com"),
        ("preferred_username", "", "Entra calls this user"),
        ("preferred_username", '"<script>alert(1)</script>"', "Entra calls this user"),
    ],
)
async def test_an_id_token_that_is_not_of_this_user_and_sign_in_is_refused(
    entra: World, opening: Opening, claim: str, value: str, said: str
) -> None:
    opened = await console(entra, opening)
    browser = await visitor(opened)
    path = await approved(entra, await begun(browser))
    entra.cloud.faults.on(ChangedAnswer(member=claim, value=value, in_id_token=True))
    answer = await browser.get(path)
    assert "<script>alert" not in answer.text
    assert await is_refused(opened, browser, answer, said)


async def test_without_an_id_token_nobody_is_known(entra: World, opening: Opening) -> None:
    opened = await console(entra, opening)
    browser = await visitor(opened)
    path = await approved(entra, await begun(browser))
    entra.cloud.faults.on(ChangedAnswer(member="id_token"))
    assert await is_refused(opened, browser, await browser.get(path), "no ID token")


async def test_an_answer_counts_once(entra: World, opening: Opening) -> None:
    opened = await console(entra, opening)
    browser = await visitor(opened)
    cookies = await begun_cookies(browser)
    path = await approved(entra, cookies[0])
    assert (await browser.get(path, Cookie=cookies[1])).status == 200
    thief = await visitor(opened)
    answer = await thief.get(path, Cookie=cookies[1])
    assert answer.status == 403
    assert (await thief.get("/")).status == 303


async def begun_cookies(browser: Browser) -> tuple[str, str]:
    answer = await browser.get(BEGIN)
    return answer.headers["Location"], answer.headers["Set-Cookie"].partition(";")[0]


async def test_the_answer_to_another_browser_signs_nobody_in(
    entra: World, opening: Opening
) -> None:
    """Neither by a link that an attacker made (login CSRF), nor by one that leaked."""
    opened = await console(entra, opening)
    attacker, victim, stranger = [await visitor(opened) for _ in range(3)]
    path = await approved(entra, await begun(attacker))
    await begun(victim)
    said = "no sign-in that was begun in this browser"
    for browser in (victim, stranger):
        assert await is_refused(opened, browser, await browser.get(path), said)
    assert (await attacker.get(path)).status == 200, "nothing was used up"


@pytest.mark.parametrize("state", ["", "x", "ä", "state"])
async def test_a_state_that_nobody_gave_out_is_refused(
    entra: World, opening: Opening, state: str
) -> None:
    opened = await console(entra, opening)
    browser = await visitor(opened)
    path = await approved(entra, await begun(browser))
    forged = re.sub(r"state=[^&]*", f"state={state}", path)
    said = "no sign-in that was begun in this browser"
    assert await is_refused(opened, browser, await browser.get(forged), said)
    assert (await browser.get(path)).status == 200


async def test_who_takes_too_long_begins_again(entra: World, opening: Opening) -> None:
    opened = await console(entra, opening)
    browser = await visitor(opened)
    path = await approved(entra, await begun(browser))
    await opened.clock.advance(SIGN_IN_TIME)
    assert await is_refused(opened, browser, await browser.get(path), "took too long")


async def test_a_code_that_entra_does_not_know_signs_nobody_in(
    entra: World, opening: Opening
) -> None:
    opened = await console(entra, opening)
    browser = await visitor(opened)
    path = await approved(entra, await begun(browser))
    forged = re.sub(r"code=[^&]*", "code=secret-code", path)
    assert await is_refused(opened, browser, await browser.get(forged), "Microsoft refused")
    assert "secret-code" not in str(opened.entries)


async def test_who_declines_is_not_signed_in(entra: World, opening: Opening) -> None:
    opened = await console(entra, opening)
    browser = await visitor(opened)
    entra.cloud.faults.on(EntraError(aadsts=65004, endpoint="authorize"))
    async with Visitor(entra.cloud.ca_file) as person:
        back = await person.sign_in(await begun(browser), ALICE)
    answer = await browser.get(f"/sign-in/microsoft?{urlsplit(back).query}")
    assert await is_refused(opened, browser, answer, "Microsoft answered: access_denied")


async def test_entra_that_is_away_is_named_and_nobody_gets_in(
    entra: World, opening: Opening
) -> None:
    opened = await console(entra, opening)
    browser = await visitor(opened)
    entra.cloud.faults.on(CutBefore(path="/contoso.com/v2.0", times=5))
    assert await is_refused(opened, browser, await browser.get(BEGIN), "cannot be reached")


async def test_no_code_state_or_cookie_is_in_the_journal(entra: World, opening: Opening) -> None:
    opened = await console(entra, opening)
    browser = await visitor(opened)
    address, cookie = await begun_cookies(browser)
    path = await approved(entra, address)
    for _ in range(2):
        await browser.get(path, Cookie=cookie)
    given = parse_qs(urlsplit(path).query)
    for secret in (given["code"][0], given["state"][0], cookie.partition("=")[2]):
        assert secret not in str(opened.entries)


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example"])
async def test_it_leads_to_no_other_site(entra: World, opening: Opening, target: str) -> None:
    opened = await console(entra, opening)
    browser = await visitor(opened)
    address = await begun(browser, f"{BEGIN}?next={target}")
    answer = await browser.get(await approved(entra, address))
    assert "evil" not in answer.text
    assert 'url=/"' in answer.text
    answer = await browser.get(BEGIN, Host="evil.example")
    assert answer.status == 421


# --- Afterwards ----------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["removed", "role", "tenant", "nobody"])
async def test_a_reload_that_removes_or_changes_the_user_ends_the_session(
    entra: World, opening: Opening, change: str
) -> None:
    opened = await console(entra, opening)
    browser = await visitor(opened)
    await signed_in(entra, browser)
    assert (await browser.get("/")).status == 200
    before = users(entra)
    assert before.microsoft
    bob = MicrosoftUser("bob@contoso.com", oid(entra, "bob@contoso.com"), "operator")
    after = {
        "removed": users(entra, bob),
        "role": users(entra, MicrosoftUser(ALICE, oid(entra), "viewer")),
        "tenant": replace(before, microsoft=replace(before.microsoft, tenant="other.example")),
        "nobody": replace(before, microsoft=None),
    }
    opened.console.reload(before)
    assert (await browser.get("/")).status == 200, "nothing was changed"
    opened.console.reload(after[change])
    assert (await browser.get("/")).status == 303
    assert opened.events("signed-out")[0]["who"] == ALICE


async def test_a_sign_in_that_a_reload_overtakes_ends(entra: World, opening: Opening) -> None:
    opened = await console(entra, opening)
    browser = await visitor(opened)
    path = await approved(entra, await begun(browser))
    bob = MicrosoftUser("bob@contoso.com", oid(entra, "bob@contoso.com"), "operator")
    opened.console.reload(users(entra, bob))
    assert await is_refused(opened, browser, await browser.get(path), "was changed meanwhile")


async def test_however_many_begin_the_memory_is_bounded_and_the_last_gets_in(
    entra: World, opening: Opening
) -> None:
    opened = await console(entra, opening)
    first = await visitor(opened)
    path = await approved(entra, await begun(first))
    last = await visitor(opened)
    for _ in range(100):
        address = await begun(last)
    assert await is_refused(opened, first, await first.get(path), "no sign-in that was begun")
    assert (await last.get(await approved(entra, address))).status == 200
    many = await asyncio.gather(*(last.get(BEGIN) for _ in range(40)))
    assert {answer.status for answer in many} == {303, 403}, "the rest may try again"


def test_people_have_as_long_as_for_an_authorization() -> None:
    assert timedelta(minutes=5) <= SIGN_IN_TIME <= timedelta(minutes=15)
