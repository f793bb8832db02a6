import base64

import jwt
import pytest

from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.directory import CONTOSO, MSA_TENANT, PUBLIC_CLIENT
from tests.sandbox.entra.client import TENANT, Client, refused


@pytest.mark.parametrize(
    ("segment", "place", "issuer"),
    [
        (TENANT, CONTOSO, CONTOSO),
        (CONTOSO, CONTOSO, CONTOSO),
        ("common", "common", "{tenantid}"),
        ("organizations", "organizations", "{tenantid}"),
        ("consumers", "consumers", MSA_TENANT),
    ],
)
async def test_the_configuration_names_the_endpoints(
    cloud: Sandbox, client: Client, segment: str, place: str, issuer: str
) -> None:
    answer = await client.http.get(f"/{segment}/v2.0/.well-known/openid-configuration")
    document = answer.json()
    base = f"{cloud.login_url}/{place}"
    assert document["token_endpoint"] == f"{base}/oauth2/v2.0/token"
    assert document["authorization_endpoint"] == f"{base}/oauth2/v2.0/authorize"
    assert document["device_authorization_endpoint"] == f"{base}/oauth2/v2.0/devicecode"
    assert document["issuer"] == f"{cloud.login_url}/{issuer}/v2.0"
    assert document["response_modes_supported"] == ["query", "fragment", "form_post"]
    assert document["subject_types_supported"] == ["pairwise"]


async def test_an_unknown_tenant_has_no_configuration(client: Client) -> None:
    answer = await client.http.get("/fabrikam.com/v2.0/.well-known/openid-configuration")
    assert refused(answer) == (400, "invalid_tenant", 90002)


async def test_the_keys_verify_the_tokens(client: Client) -> None:
    document = (await client.http.get(f"/{TENANT}/discovery/v2.0/keys")).json()
    token = (await client.tokens())["id_token"]
    keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(document).keys}
    key = keys[jwt.get_unverified_header(token)["kid"]]
    options = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    claims = jwt.decode(token, key, ["RS256"], audience=PUBLIC_CLIENT, options=options)  # type: ignore[arg-type]
    assert claims["preferred_username"] == "wp@contoso.com"
    assert len(base64.urlsafe_b64decode(document["keys"][0]["n"] + "==")) == 256


async def test_instance_discovery_wants_an_endpoint(client: Client) -> None:
    answer = await client.http.get("/common/discovery/instance?api-version=1.1")
    assert refused(answer) == (400, "invalid_request", 900144)


async def test_instance_discovery_knows_one_host(cloud: Sandbox, client: Client) -> None:
    answer = await client.http.get(
        "/common/discovery/instance",
        params={"authorization_endpoint": f"{cloud.login_url}/common/oauth2/v2.0/authorize"},
    )
    host = cloud.login_url.removeprefix("https://")
    assert answer.json()["metadata"] == [
        {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
    ]
