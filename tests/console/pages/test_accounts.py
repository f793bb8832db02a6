"""The page Accounts, and what its buttons ask of the verbs."""

import re

import pytest

from graphrelay.console.guard import POLICY
from graphrelay.control.verb import Output, VerbError
from tests.console.conftest import STATUS, Opened, Opening

BY_CREDENTIAL = {**STATUS, "scenario": "any-user", "risk": "It may send as everybody."}
NOWHERE = {
    key: STATUS[key]
    for key in ("kind", "account", "scenario", "vault", "warning", "mailbox", "limit", "risk")
} | {"status": "Unauthorized", "well": False, "reason": "Nobody signed in.", "remedy": "Run: x"}


async def test_an_account_shows_who_when_and_for_what(opened: Opened) -> None:
    text = (await (await opened.viewer()).get("/accounts")).text
    for said in ("One signed-in user", "wp@contoso.com", "Authorized", "Mail.Send", "by <bdi>root"):
        assert said in text
    assert opened.verbs.calls("status")[-1] == {"prove": False}, "no new token for a look"


async def test_an_account_without_an_authorization_says_what_to_do(opening: Opening) -> None:
    opened = await opening(status=[NOWHERE])
    text = (await (await opened.operator()).get("/accounts")).text
    assert "Nobody signed in." in text
    assert ">Authorize<" in text
    assert "Authorize again" not in text
    assert "Delete authorization" not in text


@pytest.mark.parametrize(
    "status", [{**NOWHERE, "status": "Vault problem"}, {**STATUS, "status": "Unauthorized"}]
)
async def test_what_is_stored_or_cannot_be_read_can_be_deleted(
    opening: Opening, status: Output
) -> None:
    opened = await opening(status=[status])
    assert "Delete authorization" in (await (await opened.operator()).get("/accounts")).text


async def test_an_application_is_not_asked_how_it_signs_in(opening: Opening) -> None:
    opened = await opening(status=[BY_CREDENTIAL])
    text = (await (await opened.operator()).get("/accounts")).text
    assert "Check the credential and authorize" in text
    assert "It may send as everybody." in text
    assert 'type="radio"' not in text


async def test_checking_asks_for_a_new_token_and_shows_the_answer(opened: Opened) -> None:
    otto = await opened.operator()
    assert (await otto.post("/accounts/website/check")).headers["Location"] == "/accounts"
    assert {"account": "website"} in opened.verbs.calls("status")
    assert "Checked <time" in (await otto.get("/accounts")).text


async def test_deleting_an_authorization_asks_first(opened: Opened) -> None:
    otto = await opened.operator()
    page = await otto.post("/accounts/website/revoke")
    assert "Delete the authorization of website?" in page.text
    assert opened.verbs.calls("revoke") == []
    assert (await otto.post("/accounts/website/revoke", {"sure": "yes"})).status == 303
    assert opened.verbs.calls("revoke") == [{"account": "website"}]


@pytest.mark.parametrize("method", ["device", "paste"])
async def test_authorizing_begins_a_dialog_that_knows_who(opening: Opening, method: str) -> None:
    opened = await opening(authorize=[{"kind": "device", "url": "https://login.example/"}])
    otto = await opened.operator()
    answer = await otto.post("/accounts/website/authorize", {"method": method})
    assert re.fullmatch(r"/dialogs/[\w-]+", answer.headers["Location"])
    assert opened.verbs.calls("authorize") == [
        {"account": "website", "method": method, "by": "otto"}
    ]


async def test_in_this_browser_the_answer_leads_to_microsoft_under_the_policy_of_every_page(
    opening: Opening,
) -> None:
    """By a refresh: a redirect would be part of the form, and `form-action` stops it."""
    url = "https://login.example/?a=1&b=<"
    opened = await opening(authorize=[{"kind": "open", "url": url}])
    otto = await opened.operator()
    text = (await otto.get("/accounts")).text
    assert re.findall(r'value="(\w+)"[^>]* formtarget="_blank"', text) == ["browser"]
    answer = await otto.post("/accounts/website/authorize", {"method": "browser"})
    assert answer.status == 200
    assert 'content="0; url=https://login.example/?a=1&amp;b=&lt;"' in answer.text
    assert answer.headers["Content-Security-Policy"] == POLICY
    [progress] = re.findall(r'href="(/dialogs/[\w-]+)"', answer.text)
    assert (await otto.get(progress)).status == 200


async def test_a_viewer_is_led_nowhere(opening: Opening) -> None:
    opened = await opening(authorize=[{"kind": "open", "url": "https://login.example/"}])
    vera = await opened.viewer()
    answer = await vera.post("/accounts/website/authorize", {"method": "browser"})
    assert answer.status == 403
    assert "login.example" not in answer.text


async def test_a_method_that_there_is_not_is_refused(opened: Opened) -> None:
    otto = await opened.operator()
    answer = await otto.post("/accounts/website/authorize", {"method": "magic"})
    assert answer.status == 400
    assert opened.verbs.calls("authorize") == []


async def test_a_test_message_goes_from_the_mailbox_to_whom_one_says(opening: Opening) -> None:
    opened = await opening(send_test=[{"kind": "accepted", "queue_id": "X"}])
    otto = await opened.operator()
    form = {"from": "wp@contoso.com", "to": "you@example.org"}
    assert (await otto.post("/accounts/website/test", form)).status == 303
    assert opened.verbs.calls("send-test") == [
        {"sender": "wp@contoso.com", "recipient": "you@example.org"}
    ]


async def test_no_test_message_goes_for_an_account_that_there_is_not(opening: Opening) -> None:
    opened = await opening(status=VerbError("there is no account 'nobody', only website"))
    otto = await opened.operator()
    answer = await otto.post("/accounts/nobody/test", {"to": "you@example.org"})
    assert answer.status == 404
    assert "there is no account &#39;nobody&#39;, only website" in answer.text
    assert opened.verbs.calls("status")[-1] == {"account": "nobody", "prove": False}
    assert opened.verbs.calls("send-test") == []
    assert opened.events("acted") == []


async def test_what_a_verb_says_against_it_is_a_page(opening: Opening) -> None:
    opened = await opening(revoke=VerbError("the keyring is locked"))
    otto = await opened.operator()
    answer = await otto.post("/accounts/website/revoke", {"sure": "yes"})
    assert answer.status == 409
    assert "the keyring is locked" in answer.text
