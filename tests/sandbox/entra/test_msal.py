"""Microsoft's own library gets its tokens here: it has no knowledge of the sandbox."""

import asyncio
import importlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest
import requests
from cryptography.hazmat.primitives import hashes, serialization

from graphrelay.sandbox import Principal, Sandbox, TokenProblem
from graphrelay.sandbox.directory import (
    CLIENT_SECRET,
    CONFIDENTIAL_CLIENT,
    CONTOSO,
    PUBLIC_CLIENT,
    FederatedCredential,
)
from graphrelay.sandbox.visitor import Visitor
from tests.sandbox.entra.client import TENANT, claims_of, make_certificate

Result = TypeVar("Result")
msal: Any = importlib.import_module("msal")
"""It exports its names in a way that no type checker follows."""
SEND = ["https://graph.microsoft.com/Mail.Send"]
DEFAULT = ["https://graph.microsoft.com/.default"]


@pytest.fixture
async def cloud() -> AsyncIterator[Sandbox]:
    """On the machine's own clock: msal uses no other."""
    async with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def http(cloud: Sandbox) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(cloud.ca_file)
        yield session


async def blocking(call: Callable[[], Result]) -> Result:
    """msal blocks until it has an answer; the sandbox must keep running meanwhile."""
    return await asyncio.to_thread(call)


async def public_app(
    cloud: Sandbox, http: requests.Session, tenant: str = TENANT, **more: Any
) -> Any:
    return await blocking(
        lambda: msal.PublicClientApplication(
            PUBLIC_CLIENT,
            authority=f"{cloud.login_url}/{tenant}",
            instance_discovery=False,
            http_client=http,
            **more,
        )
    )


async def confidential_app(cloud: Sandbox, http: requests.Session, credential: Any) -> Any:
    return await blocking(
        lambda: msal.ConfidentialClientApplication(
            CONFIDENTIAL_CLIENT,
            client_credential=credential,
            authority=f"{cloud.login_url}/{CONTOSO}",
            instance_discovery=False,
            http_client=http,
        )
    )


async def signed_in(
    app: Any, visitor: Visitor, email: str, scopes: list[str] | None = None, **more: Any
) -> dict[str, Any]:
    flow = app.initiate_auth_code_flow(
        scopes or SEND,
        redirect_uri="http://localhost:49152",
        response_mode="form_post",
        **more,
    )
    landing = await visitor.sign_in(flow["auth_uri"], email)
    assert landing.startswith("http://localhost:49152/?")
    answer = dict(parse_qsl(urlsplit(landing).query))
    result: dict[str, Any] = await blocking(
        lambda: app.acquire_token_by_auth_code_flow(flow, answer)
    )
    assert "error" not in result, result
    return result


async def test_an_authorization_code_with_pkce(
    cloud: Sandbox, http: requests.Session, visitor: Visitor
) -> None:
    app = await public_app(cloud, http)
    result = await signed_in(app, visitor, "wp@contoso.com")
    assert claims_of(result["access_token"])["upn"] == "wp@contoso.com"
    assert result["id_token_claims"]["preferred_username"] == "wp@contoso.com"
    assert [account["username"] for account in app.get_accounts()] == ["wp@contoso.com"]


async def test_a_silent_refresh(cloud: Sandbox, http: requests.Session, visitor: Visitor) -> None:
    app = await public_app(cloud, http)
    first = await signed_in(app, visitor, "wp@contoso.com")
    account = app.get_accounts()[0]
    cached = await blocking(lambda: app.acquire_token_silent(SEND, account))
    assert cached["access_token"] == first["access_token"]
    second = await blocking(lambda: app.acquire_token_silent(SEND, account, force_refresh=True))
    assert second["access_token"] != first["access_token"]


async def test_a_revoked_grant_is_reported_to_msal(
    cloud: Sandbox, http: requests.Session, visitor: Visitor
) -> None:
    app = await public_app(cloud, http)
    await signed_in(app, visitor, "wp@contoso.com")
    user = cloud.directory.user("wp@contoso.com")
    assert user is not None
    cloud.directory.revoke_sessions(user, datetime.now(UTC))
    account = app.get_accounts()[0]
    result = await blocking(
        lambda: app.acquire_token_silent_with_error(SEND, account, force_refresh=True)
    )
    assert (result["error"], result["error_codes"]) == ("invalid_grant", [50173])


async def test_a_device_code(cloud: Sandbox, http: requests.Session, visitor: Visitor) -> None:
    app = await public_app(cloud, http)
    flow = await blocking(lambda: app.initiate_device_flow(SEND))
    assert flow["user_code"] in flow["message"]
    await visitor.enter_device_code(
        flow["verification_uri"], flow["user_code"], "alice@contoso.com"
    )
    result = await blocking(lambda: app.acquire_token_by_device_flow(flow))
    assert claims_of(result["access_token"])["upn"] == "alice@contoso.com"


async def test_a_declined_device_code(
    cloud: Sandbox, http: requests.Session, visitor: Visitor
) -> None:
    app = await public_app(cloud, http)
    flow = await blocking(lambda: app.initiate_device_flow(SEND))
    await visitor.enter_device_code(
        flow["verification_uri"], flow["user_code"], "alice@contoso.com", accept=False
    )
    result = await blocking(lambda: app.acquire_token_by_device_flow(flow))
    assert result["error"] == "authorization_declined"


async def test_a_personal_account(cloud: Sandbox, http: requests.Session, visitor: Visitor) -> None:
    app = await public_app(cloud, http, "consumers")
    result = await signed_in(app, visitor, "me@outlook.com")
    assert result["access_token"].startswith("EwB")
    account = app.get_accounts()[0]
    again = await blocking(lambda: app.acquire_token_silent(SEND, account, force_refresh=True))
    assert again["access_token"].startswith("EwB")


async def test_a_client_secret(cloud: Sandbox, http: requests.Session) -> None:
    app = await confidential_app(cloud, http, CLIENT_SECRET)
    result = await blocking(lambda: app.acquire_token_for_client(DEFAULT))
    assert claims_of(result["access_token"])["roles"] == ["Mail.Send"]


@pytest.mark.parametrize("thumbprint", ["sha256", "sha1"])
async def test_a_certificate(cloud: Sandbox, http: requests.Session, thumbprint: str) -> None:
    """SHA-256: PS256 with a padded `x5t#S256`. SHA-1: RS256 with `x5t`."""
    key, certificate = make_certificate()
    registered = cloud.directory.app(CONFIDENTIAL_CLIENT)
    assert registered is not None
    registered.certificates.append(certificate)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    public = certificate.public_bytes(serialization.Encoding.PEM).decode()
    sha1 = certificate.fingerprint(hashes.SHA1()).hex()
    credential = (
        {"private_key": pem, "public_certificate": public}
        if thumbprint == "sha256"
        else {"private_key": pem, "thumbprint": sha1}
    )
    app = await confidential_app(cloud, http, credential)
    result = await blocking(lambda: app.acquire_token_for_client(DEFAULT))
    assert "error" not in result, result
    assert claims_of(result["access_token"])["appidacr"] == "2"


async def test_a_federated_token(cloud: Sandbox, http: requests.Session) -> None:
    key, certificate = make_certificate()
    registered = cloud.directory.app(CONFIDENTIAL_CLIENT)
    assert registered is not None
    public = certificate.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    registered.federated_credentials.append(
        FederatedCredential(
            issuer="https://issuer.example.com",
            subject="system:serviceaccount:mail:relay",
            public_key=public.decode(),
        )
    )
    claims = {
        "iss": "https://issuer.example.com",
        "sub": "system:serviceaccount:mail:relay",
        "aud": "api://AzureADTokenExchange",
        "exp": datetime.now(UTC) + timedelta(hours=1),
    }
    assertion = jwt.encode(claims, key, "RS256")
    app = await confidential_app(cloud, http, {"client_assertion": lambda: assertion})
    result = await blocking(lambda: app.acquire_token_for_client(DEFAULT))
    assert claims_of(result["access_token"])["appidacr"] == "2"


async def test_a_claims_challenge_is_met_with_a_new_token(
    cloud: Sandbox, http: requests.Session, visitor: Visitor
) -> None:
    app = await public_app(cloud, http, client_capabilities=["CP1"])
    first = await signed_in(app, visitor, "wp@contoso.com")
    user = cloud.directory.user("wp@contoso.com")
    assert user is not None
    cloud.directory.revoke_sessions(user, datetime.now(UTC))
    problem = cloud.tokens.principal_of(first["access_token"])
    assert isinstance(problem, TokenProblem)
    assert problem.claims is not None
    second = await signed_in(app, visitor, "wp@contoso.com", claims_challenge=problem.claims)
    assert isinstance(cloud.tokens.principal_of(second["access_token"]), Principal)


async def test_instance_discovery(cloud: Sandbox, http: requests.Session) -> None:
    answer = await blocking(
        lambda: http.get(
            f"{cloud.login_url}/common/discovery/instance",
            params={
                "api-version": "1.1",
                "authorization_endpoint": f"{cloud.login_url}/{TENANT}/oauth2/v2.0/authorize",
            },
        )
    )
    found = answer.json()
    assert found["tenant_discovery_endpoint"].startswith(f"{cloud.login_url}/{TENANT}/v2.0/")
    document = await blocking(lambda: http.get(found["tenant_discovery_endpoint"]))
    assert document.json()["token_endpoint"].startswith(cloud.login_url)


@pytest.mark.parametrize("service", ["vm", "app-service"])
async def test_a_managed_identity(
    cloud: Sandbox, http: requests.Session, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "AZURE_POD_IDENTITY_AUTHORITY_HOST"):
        monkeypatch.delenv(name, raising=False)
    if service == "vm":
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", cloud.imds_url)
    else:
        monkeypatch.setenv("IDENTITY_ENDPOINT", cloud.identity_endpoint)
        monkeypatch.setenv("IDENTITY_HEADER", cloud.identity_header)
    app = msal.ManagedIdentityClient(msal.SystemAssignedManagedIdentity(), http_client=http)
    result = await blocking(
        lambda: app.acquire_token_for_client(resource="https://graph.microsoft.com")
    )
    assert "error" not in result, result
    assert claims_of(result["access_token"])["roles"] == ["Mail.Send"]
    assert json.dumps(result["expires_in"]).isdigit()
