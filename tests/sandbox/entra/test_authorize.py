"""The authorize endpoint and the pages behind it."""

import pytest

from graphrelay.sandbox import Sandbox, User
from graphrelay.sandbox.directory import CONFIDENTIAL_CLIENT, PUBLIC_CLIENT, guid
from graphrelay.sandbox.entra import EntraError
from graphrelay.sandbox.visitor import Lost, Page, Visitor
from tests.sandbox.entra.client import REDIRECT, TENANT, Client, answer_of

OUTSIDER = guid("tenant/fabrikam")


async def page_at(visitor: Visitor, url: str) -> Page:
    page = await visitor.open(url)
    assert isinstance(page, Page), page
    return page


async def pressed(visitor: Visitor, page: Page, button: str, **typed: str) -> Page:
    following = await visitor.press(page, button, **typed)
    assert isinstance(following, Page), following
    return following


async def error_page(visitor: Visitor, url: str) -> str:
    page = await page_at(visitor, url)
    assert page.status == 400
    assert not page.buttons
    return page.problem


async def login_problem(visitor: Visitor, client: Client, email: str, password: str) -> str:
    page = await page_at(visitor, client.authorize_url())
    following = await pressed(visitor, page, "sign-in", email=email, password=password)
    assert "password" in following.ids
    return following.problem


# Success -------------------------------------------------------------------------------------


async def test_signing_in_leads_back_with_code_and_state(visitor: Visitor, client: Client) -> None:
    landing = await visitor.sign_in(client.authorize_url(), "wp@contoso.com")
    answer = answer_of(landing)
    assert landing.startswith(f"{REDIRECT}?code=")
    assert answer.keys() == {"code", "state", "session_state"}
    assert answer["state"] == "state-1"


async def test_the_ids_on_the_pages_are_the_ones_that_browsers_rely_on(
    visitor: Visitor, client: Client
) -> None:
    page = await page_at(visitor, client.authorize_url(login_hint="wp@contoso.com"))
    assert {"email", "password", "sign-in", "cancel"} <= page.ids
    assert page.fields["email"] == "wp@contoso.com"
    page = await pressed(visitor, page, "sign-in", password="pass")
    assert {"app-name", "scopes", "accept", "cancel"} <= page.ids
    assert page.scopes == {"Mail.Send", "offline_access", "openid", "profile"}


async def test_the_account_is_found_whatever_the_letter_case(
    visitor: Visitor, client: Client
) -> None:
    assert "code" in answer_of(await visitor.sign_in(client.authorize_url(), "WP@Contoso.com"))


async def test_consent_is_asked_for_once(visitor: Visitor, client: Client) -> None:
    await visitor.sign_in(client.authorize_url(), "wp@contoso.com")
    page = await page_at(visitor, client.authorize_url(prompt="login"))
    landing = await visitor.press(page, "sign-in", email="wp@contoso.com", password="pass")
    assert isinstance(landing, str)
    assert "code" in answer_of(landing)


async def test_only_what_is_new_is_asked_for(visitor: Visitor, client: Client) -> None:
    await visitor.sign_in(client.authorize_url(), "wp@contoso.com")
    page = await page_at(visitor, client.authorize_url(scope="Mail.Send Mail.ReadWrite"))
    assert page.scopes == {"Mail.ReadWrite"}


async def test_prompt_consent_asks_for_everything_again(visitor: Visitor, client: Client) -> None:
    await visitor.sign_in(client.authorize_url(), "wp@contoso.com")
    page = await page_at(visitor, client.authorize_url(prompt="consent"))
    assert page.scopes == {"Mail.Send", "offline_access", "openid", "profile"}


async def test_a_browser_that_is_signed_in_is_taken_without_a_word(
    cloud: Sandbox, visitor: Visitor, client: Client
) -> None:
    await visitor.sign_in(client.authorize_url(), "wp@contoso.com")
    landing = await visitor.open(client.authorize_url())
    assert isinstance(landing, str)
    answer = await client.redeem(answer_of(landing)["code"])
    principal = cloud.tokens.principal_of(answer.json()["access_token"])
    assert getattr(principal, "upn", None) == "wp@contoso.com"


@pytest.mark.parametrize("prompt", ["login", "select_account"])
async def test_a_prompt_lets_another_user_sign_in(
    visitor: Visitor, client: Client, prompt: str
) -> None:
    await visitor.sign_in(client.authorize_url(), "wp@contoso.com")
    assert "password" in (await page_at(visitor, client.authorize_url(prompt=prompt))).ids


async def test_a_login_hint_for_somebody_else_shows_the_page(
    visitor: Visitor, client: Client
) -> None:
    await visitor.sign_in(client.authorize_url(), "wp@contoso.com")
    page = await page_at(visitor, client.authorize_url(login_hint="alice@contoso.com"))
    assert page.fields["email"] == "alice@contoso.com"


async def test_prompt_none_never_shows_a_page(visitor: Visitor, client: Client) -> None:
    url = client.authorize_url(prompt="none")
    landing = await visitor.open(url)
    assert isinstance(landing, str)
    assert answer_of(landing)["error"] == "login_required"
    await visitor.sign_in(client.authorize_url(scope="Mail.Send"), "wp@contoso.com")
    landing = await visitor.open(url)
    assert isinstance(landing, str)
    assert answer_of(landing)["error"] == "consent_required"


async def test_a_revoked_session_must_sign_in_again(
    cloud: Sandbox, visitor: Visitor, client: Client
) -> None:
    await visitor.sign_in(client.authorize_url(), "wp@contoso.com")
    user = cloud.directory.user("wp@contoso.com")
    assert user is not None
    cloud.directory.revoke_sessions(user, cloud.now())
    assert "password" in (await page_at(visitor, client.authorize_url())).ids


async def test_the_answer_may_come_in_the_fragment(visitor: Visitor, client: Client) -> None:
    url = client.authorize_url(response_mode="fragment")
    landing = await visitor.sign_in(url, "wp@contoso.com")
    assert landing.startswith(f"{REDIRECT}#code=")
    assert "code" in answer_of(landing)


async def test_the_answer_may_come_as_a_form(visitor: Visitor, client: Client) -> None:
    page = await page_at(visitor, client.authorize_url(response_mode="form_post"))
    page = await pressed(visitor, page, "sign-in", email="wp@contoso.com", password="pass")
    page = await pressed(visitor, page, "accept")
    assert page.action == REDIRECT
    assert page.fields.keys() == {"code", "state", "session_state"}


async def test_a_redirect_without_a_path_comes_back_with_a_slash(
    visitor: Visitor, client: Client
) -> None:
    url = client.authorize_url(redirect_uri="http://localhost:1234")
    assert (await visitor.sign_in(url, "wp@contoso.com")).startswith("http://localhost:1234/?code")


async def test_the_only_registered_redirect_is_the_default(
    cloud: Sandbox, visitor: Visitor, client: Client
) -> None:
    app = cloud.directory.app(PUBLIC_CLIENT)
    assert app is not None
    app.public_redirect_uris = ["http://localhost"]
    landing = await visitor.sign_in(client.authorize_url(redirect_uri=None), "wp@contoso.com")
    assert landing.startswith("http://localhost/?code")


# The user declines --------------------------------------------------------------------------------


async def test_declining_leads_back_with_an_error(visitor: Visitor, client: Client) -> None:
    landing = await visitor.sign_in(client.authorize_url(), "wp@contoso.com", accept=False)
    answer = answer_of(landing)
    assert (answer["error"], answer["error_subcode"]) == ("access_denied", "cancel")
    assert answer["error_description"].startswith("AADSTS65004: User declined to consent")
    assert answer["state"] == "state-1"


async def test_cancelling_at_the_password_leads_back_too(visitor: Visitor, client: Client) -> None:
    page = await page_at(visitor, client.authorize_url())
    landing = await visitor.press(page, "cancel")
    assert isinstance(landing, str)
    assert answer_of(landing)["error"] == "access_denied"


async def test_where_users_may_not_consent_an_administrator_must(
    cloud: Sandbox, visitor: Visitor, client: Client
) -> None:
    tenant = cloud.directory.tenant(TENANT)
    assert tenant is not None
    tenant.user_consent = False
    page = await page_at(visitor, client.authorize_url())
    page = await pressed(visitor, page, "sign-in", email="wp@contoso.com", password="pass")
    assert "AADSTS90094" in page.problem
    assert "accept" not in page.buttons
    page.buttons["forged"] = ("choice", "accept")
    assert isinstance(await visitor.press(page, "forged"), str)
    assert cloud.directory.consents == {}
    page = await page_at(visitor, client.authorize_url())
    landing = await visitor.press(page, "cancel")
    assert isinstance(landing, str)
    assert answer_of(landing)["error_description"].startswith("AADSTS90094: An administrator")
    app = cloud.directory.app(PUBLIC_CLIENT)
    assert app is not None
    cloud.directory.consent(app, page_scopes(), by=tenant)
    landing = await visitor.sign_in(client.authorize_url(prompt="login"), "wp@contoso.com")
    assert "code" in answer_of(landing)


def page_scopes() -> set[str]:
    return {"Mail.Send", "offline_access", "openid", "profile"}


# Who may sign in ---------------------------------------------------------------------------------


async def test_a_wrong_password_stays_on_the_page(visitor: Visitor, client: Client) -> None:
    problem = await login_problem(visitor, client, "wp@contoso.com", "wrong")
    assert "AADSTS50126" in problem


@pytest.mark.parametrize(
    ("email", "code"),
    [
        ("nobody@contoso.com", 50034),
        ("info@contoso.com", 50057),
        ("me@outlook.com", 50020),
    ],
)
async def test_not_everybody_can_sign_in(
    visitor: Visitor, client: Client, email: str, code: int
) -> None:
    assert f"AADSTS{code}" in await login_problem(visitor, client, email, "pass")


@pytest.mark.parametrize(
    ("field", "code"),
    [("enabled", 50057), ("password_expired", 50055), ("blocked_by_policy", 53003)],
)
async def test_the_state_of_the_account_counts(
    cloud: Sandbox, visitor: Visitor, client: Client, field: str, code: int
) -> None:
    user = cloud.directory.user("wp@contoso.com")
    assert user is not None
    setattr(user, field, not getattr(user, field))
    assert f"AADSTS{code}" in await login_problem(visitor, client, "wp@contoso.com", "pass")


@pytest.mark.parametrize(
    ("tenant", "email", "admitted"),
    [
        ("common", "wp@contoso.com", True),
        ("common", "me@outlook.com", True),
        ("organizations", "wp@contoso.com", True),
        ("organizations", "me@outlook.com", False),
        ("consumers", "wp@contoso.com", False),
        ("consumers", "me@outlook.com", True),
    ],
)
async def test_the_authority_says_whose_accounts_are_admitted(
    visitor: Visitor, client: Client, tenant: str, email: str, admitted: bool
) -> None:
    url = client.authorize_url(tenant)
    if admitted:
        assert "code" in answer_of(await visitor.sign_in(url, email))
    else:
        with pytest.raises(Lost, match="AADSTS50020"):
            await visitor.sign_in(url, email)


# Requests that are refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tenant", "fields", "code"),
    [
        ("fabrikam.com", {}, 90002),
        (TENANT, {"client_id": None}, 900144),
        (TENANT, {"client_id": "7d2f0a4e-0000-4000-8000-000000000000"}, 700016),
        (TENANT, {"redirect_uri": "https://evil.example.com/"}, 50011),
        (TENANT, {"redirect_uri": "http://localhost:1/other"}, 50011),
        (TENANT, {"redirect_uri": "http://127.0.0.1:1/"}, 50011),
        ("common", {"client_id": CONFIDENTIAL_CLIENT}, 50194),
        ("consumers", {"client_id": CONFIDENTIAL_CLIENT}, 9002332),
    ],
)
async def test_an_application_that_is_not_trusted_gets_no_redirect(
    visitor: Visitor, client: Client, tenant: str, fields: dict[str, str | None], code: int
) -> None:
    assert f"AADSTS{code}: " in await error_page(visitor, client.authorize_url(tenant, **fields))


@pytest.mark.parametrize(
    ("fields", "error", "code"),
    [
        ({"response_type": "id_token"}, "unsupported_response_type", 700054),
        ({"response_mode": "smoke"}, "invalid_request", 90013),
        ({"scope": "Mail.Dance"}, "invalid_client", 650053),
        ({"scope": ""}, "invalid_request", 900144),
        ({"code_challenge": "short"}, "invalid_request", 501491),
        ({"code_challenge_method": "S512"}, "invalid_request", 90013),
    ],
)
async def test_a_bad_request_of_a_known_application_is_sent_back(
    visitor: Visitor, client: Client, fields: dict[str, str | None], error: str, code: int
) -> None:
    landing = await visitor.open(client.authorize_url(**fields))
    assert isinstance(landing, str)
    answer = answer_of(landing)
    assert (answer["error"], answer["state"]) == (error, "state-1")
    assert answer["error_description"].startswith(f"AADSTS{code}: ")


async def test_a_fault_can_strike_here_too(
    cloud: Sandbox, visitor: Visitor, client: Client
) -> None:
    cloud.faults.on(EntraError(aadsts=90033, endpoint="authorize", times=1))
    landing = await visitor.open(client.authorize_url())
    assert isinstance(landing, str)
    assert answer_of(landing)["error"] == "temporarily_unavailable"


async def test_a_page_that_nobody_opened_leads_nowhere(client: Client) -> None:
    for path in (f"/{TENANT}/login", f"/{TENANT}/Consent/Set"):
        answer = await client.http.post(path, data={"flow": "x", "choice": "accept"})
        assert answer.status_code == 400
        assert "AADSTS90013" in answer.text


async def test_consent_needs_a_sign_in_first(visitor: Visitor, client: Client) -> None:
    page = await page_at(visitor, client.authorize_url())
    answer = await client.http.post(
        f"/{TENANT}/Consent/Set", data={"flow": page.fields["flow"], "choice": "accept"}
    )
    assert answer.status_code == 400


async def test_a_name_cannot_put_markup_on_a_page(
    cloud: Sandbox, visitor: Visitor, client: Client
) -> None:
    app = cloud.directory.app(PUBLIC_CLIENT)
    assert app is not None
    app.display_name = '<script>alert("x")</script>'
    url = client.authorize_url(login_hint='"><b id="evil">')
    page = await page_at(visitor, url)
    assert "evil" not in page.ids
    assert "<script>" not in page.text


async def test_a_user_of_another_organisation_is_no_guest(
    cloud: Sandbox, visitor: Visitor, client: Client
) -> None:
    cloud.directory.users.append(
        User(upn="eve@fabrikam.com", display_name="Eve", tenant_id=OUTSIDER)
    )
    problem = await login_problem(visitor, client, "eve@fabrikam.com", "pass")
    assert "AADSTS50020" in problem
