"""The token endpoint, grant by grant."""

import base64
import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from graphrelay.sandbox import Principal, Sandbox
from graphrelay.sandbox.directory import (
    CLIENT_SECRET,
    CONFIDENTIAL_CLIENT,
    CONTOSO,
    MSA_TENANT,
    PUBLIC_CLIENT,
    App,
    Secret,
    User,
)
from graphrelay.sandbox.visitor import Visitor
from tests.clock import FakeClock
from tests.sandbox.entra.client import DEVICE, SCOPE, TENANT, Client, claims_of, refused

DEFAULT = "https://graph.microsoft.com/.default"


def wp(cloud: Sandbox) -> User:
    user = cloud.directory.user("wp@contoso.com")
    assert user is not None
    return user


def app(cloud: Sandbox, client_id: str = PUBLIC_CLIENT) -> App:
    found = cloud.directory.app(client_id)
    assert found is not None
    return found


# Authorization code ------------------------------------------------------------------------------


async def test_a_code_gives_tokens_of_the_user_who_signed_in(
    cloud: Sandbox, client: Client
) -> None:
    body = await client.tokens()
    claims = claims_of(body["access_token"])
    assert body["token_type"] == "Bearer"
    assert body["scope"] == "openid profile https://graph.microsoft.com/Mail.Send"
    assert claims["upn"] == "wp@contoso.com"
    assert claims["scp"].split() == ["Mail.Send", "openid", "profile"]
    assert claims["aud"] == "https://graph.microsoft.com"
    assert claims["iss"] == f"https://sts.windows.net/{CONTOSO}/"
    assert (claims["appid"], claims["appidacr"], claims["idtyp"]) == (PUBLIC_CLIENT, "0", "user")
    principal = cloud.tokens.principal_of(body["access_token"])
    assert isinstance(principal, Principal)
    assert (principal.upn, principal.app_only) == ("wp@contoso.com", False)
    assert "Mail.Send" in principal.scopes


async def test_access_tokens_live_sixty_to_ninety_minutes(client: Client) -> None:
    body = await client.tokens()
    assert 3599 <= body["expires_in"] <= 5399
    claims = claims_of(body["access_token"])
    assert claims["exp"] - claims["iat"] == body["expires_in"]


async def test_the_id_token_carries_the_nonce(client: Client) -> None:
    claims = claims_of((await client.tokens())["id_token"])
    assert claims["nonce"] == "nonce-1"
    assert claims["aud"] == PUBLIC_CLIENT
    assert claims["preferred_username"] == "wp@contoso.com"


async def test_without_offline_access_there_is_no_refresh_token(client: Client) -> None:
    code = await client.sign_in(scope="Mail.Send")
    body = (await client.redeem(code, scope="Mail.Send")).json()
    assert "refresh_token" not in body
    assert "id_token" not in body
    assert body["scope"] == "Mail.Send"


async def test_a_code_works_once(client: Client) -> None:
    code = await client.sign_in()
    assert (await client.redeem(code)).status_code == 200
    assert refused(await client.redeem(code)) == (400, "invalid_grant", 54005)


async def test_a_code_lives_ten_minutes(client: Client, clock: FakeClock) -> None:
    code = await client.sign_in()
    await clock.advance(timedelta(minutes=10))
    assert refused(await client.redeem(code)) == (400, "invalid_grant", 70008)


async def test_the_verifier_must_match_the_challenge(client: Client) -> None:
    code = await client.sign_in()
    answer = await client.redeem(code, code_verifier="something-else")
    assert refused(answer) == (400, "invalid_grant", 501481)


async def test_the_redirect_uri_must_be_the_one_of_the_request(client: Client) -> None:
    code = await client.sign_in()
    answer = await client.redeem(code, redirect_uri="http://localhost:1/")
    assert refused(answer) == (401, "invalid_client", 500112)


async def test_a_public_client_must_not_send_a_secret(client: Client) -> None:
    code = await client.sign_in()
    answer = await client.redeem(code, client_secret="anything")
    assert refused(answer) == (401, "invalid_client", 700025)


async def test_a_web_redirect_wants_a_secret(cloud: Sandbox, client: Client) -> None:
    code = await client.sign_in(client_id=CONFIDENTIAL_CLIENT)
    bare = await client.redeem(code, client_id=CONFIDENTIAL_CLIENT)
    assert refused(bare) == (401, "invalid_client", 7000218)
    answer = await client.redeem(code, client_id=CONFIDENTIAL_CLIENT, client_secret=CLIENT_SECRET)
    assert claims_of(answer.json()["access_token"])["appidacr"] == "1"


async def test_a_code_of_another_client_is_refused(cloud: Sandbox, client: Client) -> None:
    code = await client.sign_in()
    answer = await client.redeem(code, client_id=CONFIDENTIAL_CLIENT, client_secret=CLIENT_SECRET)
    assert refused(answer) == (400, "invalid_grant", 70000)


# Refresh token -----------------------------------------------------------------------------------


async def test_refreshing_gives_a_new_token_and_the_old_one_goes_on_working(
    client: Client,
) -> None:
    first = await client.tokens()
    second = (await client.refresh(first["refresh_token"])).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert second["access_token"] != first["access_token"]
    assert (await client.refresh(first["refresh_token"])).status_code == 200
    assert (await client.refresh(second["refresh_token"])).status_code == 200


async def test_a_refresh_token_ends_after_ninety_days_without_use(
    client: Client, clock: FakeClock
) -> None:
    first = await client.tokens()
    await clock.advance(timedelta(days=60))
    second = (await client.refresh(first["refresh_token"])).json()
    await clock.advance(timedelta(days=60))
    assert refused(await client.refresh(first["refresh_token"])) == (400, "invalid_grant", 700082)
    assert (await client.refresh(second["refresh_token"])).status_code == 200


async def test_a_refresh_without_a_scope_asks_for_the_same_again(client: Client) -> None:
    first = await client.tokens()
    form = {"grant_type": "refresh_token", "client_id": PUBLIC_CLIENT}
    answer = await client.token(**form, refresh_token=first["refresh_token"])
    assert answer.json()["scope"] == first["scope"]


async def test_revoked_sessions_end_every_refresh_token(
    cloud: Sandbox, client: Client, clock: FakeClock
) -> None:
    first = await client.tokens()
    await clock.advance(timedelta(days=1))
    cloud.directory.revoke_sessions(wp(cloud), clock.now())
    answer = await client.refresh(first["refresh_token"])
    assert refused(answer) == (400, "invalid_grant", 50173)
    text = answer.json()["error_description"]
    assert "The grant was issued on '2026-11-23T12:00:00.0000000Z'" in text
    assert "TokensValidFrom date (before which tokens are not valid) for this user" in text
    assert "is '2026-11-24T12:00:00.0000000Z'" in text
    again = await client.tokens()
    assert (await client.refresh(again["refresh_token"])).status_code == 200


async def test_an_unknown_refresh_token_is_malformed(client: Client) -> None:
    assert refused(await client.refresh("nonsense")) == (400, "invalid_grant", 9002313)


async def test_a_refresh_token_belongs_to_one_client(client: Client) -> None:
    body = await client.tokens()
    answer = await client.refresh(
        body["refresh_token"], client_id=CONFIDENTIAL_CLIENT, client_secret=CLIENT_SECRET
    )
    assert refused(answer) == (400, "invalid_grant", 70000)


async def test_a_confidential_client_refreshes_with_its_secret(client: Client) -> None:
    code = await client.sign_in(client_id=CONFIDENTIAL_CLIENT)
    proof = {"client_id": CONFIDENTIAL_CLIENT, "client_secret": CLIENT_SECRET}
    body = (await client.redeem(code, **proof)).json()
    bare = await client.refresh(body["refresh_token"], client_id=CONFIDENTIAL_CLIENT)
    assert refused(bare) == (401, "invalid_client", 7000218)
    assert (await client.refresh(body["refresh_token"], **proof)).status_code == 200


async def test_withdrawn_consent_ends_refreshing(cloud: Sandbox, client: Client) -> None:
    body = await client.tokens()
    cloud.directory.withdraw(app(cloud), wp(cloud))
    answer = await client.refresh(body["refresh_token"])
    assert refused(answer) == (400, "invalid_grant", 65001)
    assert answer.json()["suberror"] == "consent_required"


async def test_a_permission_that_nobody_consented_to_is_refused(client: Client) -> None:
    body = await client.tokens()
    more = "https://graph.microsoft.com/Mail.ReadWrite"
    answer = await client.refresh(body["refresh_token"], scope=more)
    assert refused(answer) == (400, "invalid_grant", 65001)


async def test_a_token_carries_all_that_was_consented_to(cloud: Sandbox, client: Client) -> None:
    cloud.directory.consent(app(cloud), {"Mail.ReadWrite"}, by=wp(cloud))
    body = await client.tokens()
    assert "Mail.ReadWrite" in claims_of(body["access_token"])["scp"].split()


async def test_default_asks_for_what_was_consented_to(cloud: Sandbox, client: Client) -> None:
    body = await client.tokens()
    answer = (await client.refresh(body["refresh_token"], scope=DEFAULT)).json()
    graph = "https://graph.microsoft.com/"
    assert answer["scope"].split() == [f"{graph}Mail.Send", f"{graph}.default"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"enabled": False}, (400, "invalid_grant", 50057)),
        ({"password_expired": True}, (400, "invalid_grant", 50055)),
        ({"blocked_by_policy": True}, (400, "invalid_grant", 53003)),
        ({"mfa_required": True}, (400, "invalid_grant", 50076)),
    ],
)
async def test_a_change_to_the_account_stops_refreshing(
    cloud: Sandbox, client: Client, change: dict[str, bool], expected: tuple[int, str, int]
) -> None:
    body = await client.tokens()
    for name, value in change.items():
        setattr(wp(cloud), name, value)
    assert refused(await client.refresh(body["refresh_token"])) == expected


async def test_a_new_sign_in_satisfies_the_demand_for_a_second_factor(
    cloud: Sandbox, client: Client
) -> None:
    wp(cloud).mfa_required = True
    body = await client.tokens()
    assert (await client.refresh(body["refresh_token"])).status_code == 200


async def test_conditional_access_sends_claims_to_sign_in_with(
    cloud: Sandbox, client: Client
) -> None:
    body = await client.tokens()
    wp(cloud).blocked_by_policy = True
    answer = (await client.refresh(body["refresh_token"])).json()
    assert answer["suberror"] == "message_only"
    assert "capolids" in answer["claims"]


async def test_a_deleted_user_cannot_refresh(cloud: Sandbox, client: Client) -> None:
    body = await client.tokens()
    cloud.directory.users.remove(wp(cloud))
    assert refused(await client.refresh(body["refresh_token"])) == (400, "invalid_grant", 50034)


# Personal accounts -------------------------------------------------------------------------------


async def test_a_personal_account_gets_an_opaque_token(cloud: Sandbox, client: Client) -> None:
    body = await client.tokens("me@outlook.com", "consumers")
    assert "." not in body["access_token"]
    principal = cloud.tokens.principal_of(body["access_token"])
    assert isinstance(principal, Principal)
    assert (principal.upn, principal.tid) == ("me@outlook.com", MSA_TENANT)
    assert principal.scopes == {"Mail.Send"}
    assert claims_of(body["id_token"])["iss"] == f"{cloud.login_url}/{MSA_TENANT}/v2.0"


async def test_a_personal_refresh_token_works_only_where_personal_accounts_are_admitted(
    client: Client,
) -> None:
    body = await client.tokens("me@outlook.com", "common")
    token = body["refresh_token"]
    assert (await client.refresh(token, "consumers")).status_code == 200
    assert refused(await client.refresh(token, TENANT)) == (400, "invalid_grant", 70000)


# Client credentials ------------------------------------------------------------------------------


async def credentials(
    client: Client, tenant: str = TENANT, /, **fields: str
) -> tuple[int, str, int]:
    form = {
        "grant_type": "client_credentials",
        "client_id": CONFIDENTIAL_CLIENT,
        "client_secret": CLIENT_SECRET,
        "scope": DEFAULT,
    }
    given = {key: value for key, value in {**form, **fields}.items() if value}
    return refused(await client.token(tenant, **given))


async def test_a_secret_gives_a_token_of_the_application(cloud: Sandbox, client: Client) -> None:
    answer = await client.token(
        grant_type="client_credentials",
        client_id=CONFIDENTIAL_CLIENT,
        client_secret=CLIENT_SECRET,
        scope=f"{cloud.graph_url}/.default",
    )
    body = answer.json()
    assert body.keys() == {"token_type", "expires_in", "ext_expires_in", "access_token"}
    claims = claims_of(body["access_token"])
    assert (claims["idtyp"], claims["roles"], claims["appidacr"]) == ("app", ["Mail.Send"], "1")
    assert claims["oid"] == claims["sub"] == app(cloud, CONFIDENTIAL_CLIENT).service_principal_id
    assert "scp" not in claims
    principal = cloud.tokens.principal_of(body["access_token"])
    assert isinstance(principal, Principal)
    assert principal.app_only
    assert principal.roles == {"Mail.Send"}


async def test_without_a_grant_the_token_has_no_roles_at_all(
    cloud: Sandbox, client: Client
) -> None:
    app(cloud, CONFIDENTIAL_CLIENT).roles.clear()
    answer = await client.token(
        grant_type="client_credentials",
        client_id=CONFIDENTIAL_CLIENT,
        client_secret=CLIENT_SECRET,
        scope=DEFAULT,
    )
    assert "roles" not in claims_of(answer.json()["access_token"])


async def test_a_secret_may_come_as_http_basic(client: Client) -> None:
    pair = base64.b64encode(f"{CONFIDENTIAL_CLIENT}:{CLIENT_SECRET}".encode()).decode()
    answer = await client.token(
        TENANT, {"Authorization": f"Basic {pair}"}, grant_type="client_credentials", scope=DEFAULT
    )
    assert answer.status_code == 200


async def test_client_credentials_are_refused_for_what_is_wrong_with_them(
    cloud: Sandbox, client: Client
) -> None:
    secret_id = app(cloud, CONFIDENTIAL_CLIENT).secrets[0].id
    assert await credentials(client, client_secret="wrong") == (401, "invalid_client", 7000215)
    assert await credentials(client, client_secret=secret_id) == (401, "invalid_client", 7000215)
    assert await credentials(client, client_secret="") == (400, "invalid_request", 7000216)
    assert await credentials(client, scope="") == (400, "invalid_request", 900144)
    assert await credentials(client, scope="Mail.Send") == (400, "invalid_scope", 1002012)
    other = "https://graph.example.com/.default"
    assert await credentials(client, scope=other) == (400, "invalid_resource", 500011)
    assert await credentials(client, "common") == (400, "invalid_request", 50194)
    assert await credentials(client, "fabrikam.com") == (400, "invalid_request", 90002)
    assert await credentials(client, "nonsense") == (400, "invalid_request", 900023)
    unknown = "7d2f0a4e-0000-4000-8000-000000000000"
    assert await credentials(client, client_id=unknown) == (400, "unauthorized_client", 700016)
    assert await credentials(client, client_id="") == (400, "invalid_request", 900144)
    assert await credentials(client, grant_type="") == (400, "invalid_request", 900144)
    assert await credentials(client, grant_type="password") == (
        400,
        "unsupported_grant_type",
        70003,
    )


async def test_client_credentials_need_a_tenant(cloud: Sandbox, client: Client) -> None:
    app(cloud, CONFIDENTIAL_CLIENT).audience = "AzureADandPersonalMicrosoftAccount"
    for tenant in ("common", "organizations", "consumers"):
        assert await credentials(client, tenant) == (400, "invalid_request", 9001023)


async def test_an_expired_secret_has_an_error_of_its_own(
    cloud: Sandbox, client: Client, clock: FakeClock
) -> None:
    confidential = app(cloud, CONFIDENTIAL_CLIENT)
    confidential.secrets[0].expires_at = clock.now() + timedelta(days=1)
    await clock.advance(timedelta(days=1))
    assert await credentials(client) == (401, "invalid_client", 7000222)
    confidential.secrets.append(Secret(value="fresh"))
    answer = await client.token(
        grant_type="client_credentials",
        client_id=CONFIDENTIAL_CLIENT,
        client_secret="fresh",
        scope=DEFAULT,
    )
    assert answer.status_code == 200


async def test_a_disabled_application_gets_nothing(cloud: Sandbox, client: Client) -> None:
    app(cloud, CONFIDENTIAL_CLIENT).enabled = False
    assert await credentials(client) == (401, "unauthorized_client", 7000112)


# Device code -------------------------------------------------------------------------------------


async def device_code(client: Client) -> dict[str, str]:
    answer = await client.http.post(
        f"/{TENANT}/oauth2/v2.0/devicecode", data={"client_id": PUBLIC_CLIENT, "scope": SCOPE}
    )
    body: dict[str, str] = answer.json()
    return body


async def test_a_device_waits_until_somebody_signed_in(client: Client, visitor: Visitor) -> None:
    flow = await device_code(client)
    poll = {
        "grant_type": DEVICE,
        "client_id": PUBLIC_CLIENT,
        "device_code": flow["device_code"],
    }
    assert refused(await client.token(**poll)) == (400, "authorization_pending", 70016)
    await visitor.enter_device_code(
        flow["verification_uri"], flow["user_code"], "alice@contoso.com"
    )
    body = (await client.token(**poll)).json()
    assert claims_of(body["access_token"])["upn"] == "alice@contoso.com"
    assert "refresh_token" in body
    assert refused(await client.token(**poll)) == (400, "invalid_grant", 70000)


async def test_a_device_code_ends_after_fifteen_minutes(client: Client, clock: FakeClock) -> None:
    flow = await device_code(client)
    await clock.advance(timedelta(minutes=15))
    answer = await client.token(
        grant_type=DEVICE, client_id=PUBLIC_CLIENT, device_code=flow["device_code"]
    )
    assert refused(answer) == (400, "expired_token", 70020)


async def test_a_device_code_that_nobody_gave_out_is_bad(client: Client) -> None:
    answer = await client.token(grant_type=DEVICE, client_id=PUBLIC_CLIENT, device_code="nonsense")
    assert refused(answer) == (400, "bad_verification_code", 70019)


async def test_device_codes_need_the_setting_for_public_client_flows(
    cloud: Sandbox, client: Client
) -> None:
    flow = await device_code(client)
    app(cloud).allow_public_client_flows = False
    answer = await client.token(
        grant_type=DEVICE, client_id=PUBLIC_CLIENT, device_code=flow["device_code"]
    )
    assert refused(answer) == (401, "invalid_client", 7000218)


# Errors ------------------------------------------------------------------------------------------


async def test_an_error_has_every_field_that_support_asks_for(client: Client) -> None:
    correlation = "8a4ad9d2-3f1a-4a64-9a0b-3f57b6a2b9d1"
    answer = await client.token(
        TENANT,
        {"client-request-id": correlation},
        grant_type="refresh_token",
        client_id=PUBLIC_CLIENT,
        refresh_token="nonsense",
    )
    body = answer.json()
    assert body["timestamp"] == "2026-11-23 12:00:00Z"
    assert body["correlation_id"] == correlation
    assert str(UUID(body["trace_id"])) == body["trace_id"]
    assert body["error_uri"].endswith("/error?code=9002313")
    assert re.fullmatch(
        r"AADSTS9002313: .* Trace ID: \S+ Correlation ID: \S+ Timestamp: 2026-11-23 12:00:00Z",
        body["error_description"],
    )
    assert answer.headers["cache-control"] == "no-store, no-cache"


# Continuous access evaluation ---------------------------------------------------------------------


async def test_a_capable_client_gets_a_long_token_that_can_die_early(
    cloud: Sandbox, client: Client, clock: FakeClock
) -> None:
    claims = '{"access_token":{"xms_cc":{"values":["cp1"]}}}'
    code = await client.sign_in(claims=claims)
    body = (await client.redeem(code, claims=claims)).json()
    assert 20 * 3600 <= body["expires_in"] <= 28 * 3600
    assert claims_of(body["access_token"])["xms_cc"] == ["CP1"]
    assert isinstance(cloud.tokens.principal_of(body["access_token"]), Principal)
    cloud.directory.revoke_sessions(wp(cloud), clock.now())
    problem = cloud.tokens.principal_of(body["access_token"])
    assert not isinstance(problem, Principal)
    assert 'error="insufficient_claims", claims="' in problem.www_authenticate(cloud.login_url)


async def test_other_tokens_live_on_after_a_revocation(
    cloud: Sandbox, client: Client, clock: FakeClock
) -> None:
    body = await client.tokens()
    cloud.directory.revoke_sessions(wp(cloud), clock.now())
    assert isinstance(cloud.tokens.principal_of(body["access_token"]), Principal)
    cloud_time = datetime.fromtimestamp(claims_of(body["access_token"])["exp"], UTC)
    assert cloud_time > clock.now()
