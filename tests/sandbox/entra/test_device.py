"""The page where a user enters the code that a device shows."""

from datetime import timedelta
from typing import Any

import pytest

from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.directory import PUBLIC_CLIENT
from graphrelay.sandbox.entra import EntraError
from graphrelay.sandbox.visitor import Page, Visitor
from tests.clock import FakeClock
from tests.sandbox.entra.client import DEVICE, SCOPE, TENANT, Client, refused


async def start(client: Client, **fields: str) -> dict[str, Any]:
    form = {"client_id": PUBLIC_CLIENT, "scope": SCOPE, **fields}
    answer = await client.http.post(f"/{TENANT}/oauth2/v2.0/devicecode", data=form)
    body: dict[str, Any] = answer.json()
    return body


async def typed(visitor: Visitor, flow: dict[str, Any], code: str) -> Page:
    page = await visitor.open(flow["verification_uri"])
    assert isinstance(page, Page)
    assert {"code", "next"} <= page.ids
    page = await visitor.press(page, "next", code=code)
    assert isinstance(page, Page)
    return page


async def test_the_answer_says_what_to_show(cloud: Sandbox, client: Client) -> None:
    flow = await start(client)
    assert flow["expires_in"] == 900
    assert flow["interval"] == 5
    assert flow["verification_uri"] == f"{cloud.login_url}/devicelogin"
    assert flow["user_code"] in flow["message"]
    assert "verification_uri_complete" not in flow


async def test_letter_case_and_dashes_of_the_code_do_not_matter(
    visitor: Visitor, client: Client
) -> None:
    flow = await start(client)
    code = flow["user_code"].lower()
    assert "password" in (await typed(visitor, flow, f" {code[:4]}-{code[4:]} ")).ids


async def test_a_wrong_code_stays_on_the_page(visitor: Visitor, client: Client) -> None:
    page = await typed(visitor, await start(client), "WRONGCODE")
    assert "That code didn't work" in page.problem


async def test_the_person_is_asked_whether_the_application_is_meant(
    cloud: Sandbox, visitor: Visitor, client: Client
) -> None:
    app, user = cloud.directory.app(PUBLIC_CLIENT), cloud.directory.user("wp@contoso.com")
    assert app is not None
    assert user is not None
    scopes = {"Mail.Send", "offline_access", "openid", "profile"}
    cloud.directory.consent(app, scopes, by=user)
    flow = await start(client)
    page = await typed(visitor, flow, flow["user_code"])
    following = await visitor.press(page, "sign-in", email=user.upn, password="pass")
    assert isinstance(following, Page)
    assert "Are you trying to sign in to" in following.text
    assert {"accept", "cancel"} <= following.ids


async def test_a_code_is_typed_in_once(visitor: Visitor, client: Client) -> None:
    flow = await start(client)
    await visitor.enter_device_code(flow["verification_uri"], flow["user_code"], "wp@contoso.com")
    page = await typed(visitor, flow, flow["user_code"])
    assert "That code didn't work" in page.problem


async def test_declining_is_reported_to_the_device(visitor: Visitor, client: Client) -> None:
    flow = await start(client)
    await visitor.enter_device_code(
        flow["verification_uri"], flow["user_code"], "wp@contoso.com", accept=False
    )
    answer = await client.token(
        grant_type=DEVICE, client_id=PUBLIC_CLIENT, device_code=flow["device_code"]
    )
    assert refused(answer) == (400, "authorization_declined", 70017)


async def test_an_old_code_cannot_be_typed_in(
    visitor: Visitor, client: Client, clock: FakeClock
) -> None:
    flow = await start(client)
    await clock.advance(timedelta(minutes=15))
    assert "That code didn't work" in (await typed(visitor, flow, flow["user_code"])).problem


@pytest.mark.parametrize(
    ("fields", "code"),
    [({"scope": ""}, 900144), ({"client_id": ""}, 900144), ({"scope": "Mail.Dance"}, 650053)],
)
async def test_a_bad_request_is_refused(client: Client, fields: dict[str, str], code: int) -> None:
    assert (await start(client, **fields))["error_codes"] == [code]


async def test_a_fault_can_strike_here_too(cloud: Sandbox, client: Client) -> None:
    cloud.faults.on(EntraError(aadsts=53003, endpoint="devicecode", times=1))
    assert (await start(client))["error_codes"] == [53003]
    assert "device_code" in await start(client)
