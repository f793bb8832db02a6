"""Managed identities: what the metadata services require."""

from collections.abc import AsyncIterator

import httpx
import pytest

from graphrelay.sandbox import Principal, Sandbox
from graphrelay.sandbox.directory import CONTOSO, App
from graphrelay.sandbox.faults import Answer
from tests.clock import FakeClock

TOKEN = "/metadata/identity/oauth2/token"
QUERY = {"api-version": "2018-02-01", "resource": "https://graph.microsoft.com"}
METADATA = {"Metadata": "true"}


@pytest.fixture
async def cloud() -> AsyncIterator[Sandbox]:
    async with Sandbox(now=FakeClock().now) as sandbox:
        yield sandbox


@pytest.fixture
async def http(cloud: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=cloud.imds_url, trust_env=False) as client:
        yield client


async def test_the_machine_gets_a_token(cloud: Sandbox, http: httpx.AsyncClient) -> None:
    answer = await http.get(TOKEN, params=QUERY, headers=METADATA)
    body = answer.json()
    assert body["token_type"] == "Bearer"
    assert body["resource"] == "https://graph.microsoft.com"
    assert body["expires_in"] == "86399"
    assert int(body["expires_on"]) - int(body["not_before"]) == 86400
    principal = cloud.tokens.principal_of(body["access_token"])
    assert isinstance(principal, Principal)
    assert (principal.app_only, principal.roles) == (True, frozenset({"Mail.Send"}))


@pytest.mark.parametrize(
    ("headers", "query", "message"),
    [
        ({}, QUERY, "Required metadata header not specified"),
        ({"Metadata": "yes"}, QUERY, "Required metadata header not specified"),
        ({**METADATA, "X-Forwarded-For": "1.2.3.4"}, QUERY, "Required metadata header"),
        (METADATA, {"resource": QUERY["resource"]}, "'api-version' is missing"),
        (METADATA, {**QUERY, "api-version": "2010-01-01"}, "2010-01-01 is not supported"),
        (METADATA, {"api-version": "2018-02-01"}, "'resource' is missing"),
        (METADATA, {**QUERY, "resource": "https://example.com"}, "AADSTS500011"),
        (METADATA, {**QUERY, "client_id": "7d2f0a4e"}, "Identity not found"),
    ],
)
async def test_what_the_metadata_service_refuses(
    http: httpx.AsyncClient, headers: dict[str, str], query: dict[str, str], message: str
) -> None:
    answer = await http.get(TOKEN, params=query, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_request"
    assert message in answer.json()["error_description"]


async def test_one_of_several_identities_is_named(cloud: Sandbox, http: httpx.AsyncClient) -> None:
    second = App(display_name="second", tenant_id=CONTOSO, managed_identity=True)
    cloud.directory.apps.append(second)
    for name, value in (
        ("client_id", second.client_id),
        ("object_id", second.service_principal_id),
    ):
        answer = await http.get(TOKEN, params={**QUERY, name: value}, headers=METADATA)
        assert answer.json()["client_id"] == second.client_id


async def test_an_ordinary_application_is_no_identity_of_the_machine(
    cloud: Sandbox, http: httpx.AsyncClient
) -> None:
    query = {**QUERY, "client_id": cloud.directory.apps[1].client_id}
    assert (await http.get(TOKEN, params=query, headers=METADATA)).status_code == 400


async def test_app_service_wants_its_header(cloud: Sandbox, http: httpx.AsyncClient) -> None:
    query = {**QUERY, "api-version": "2019-08-01"}
    answer = await http.get(cloud.identity_endpoint, params=query)
    assert (answer.status_code, answer.json()["statusCode"]) == (401, 401)
    secret = {"X-IDENTITY-HEADER": cloud.identity_header}
    body = (await http.get(cloud.identity_endpoint, params=query, headers=secret)).json()
    assert isinstance(cloud.tokens.principal_of(body["access_token"]), Principal)
    assert body.keys() == {"access_token", "client_id", "expires_on", "resource", "token_type"}


@pytest.mark.parametrize(
    "change", [{"api-version": "2017-09-01"}, {"resource": "x"}, {"client_id": "x"}]
)
async def test_what_app_service_refuses(
    cloud: Sandbox, http: httpx.AsyncClient, change: dict[str, str]
) -> None:
    query = {**QUERY, "api-version": "2019-08-01", **change}
    secret = {"X-IDENTITY-HEADER": cloud.identity_header}
    answer = await http.get(cloud.identity_endpoint, params=query, headers=secret)
    assert (answer.status_code, answer.json()["statusCode"]) == (400, 400)


async def test_faults_strike_here_too(cloud: Sandbox, http: httpx.AsyncClient) -> None:
    cloud.faults.on(Answer(status=410, part="imds", times=1))
    assert (await http.get(TOKEN, params=QUERY, headers=METADATA)).status_code == 410
    assert (await http.get(TOKEN, params=QUERY, headers=METADATA)).status_code == 200
