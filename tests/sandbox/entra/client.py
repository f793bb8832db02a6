"""An OAuth client that sends exactly what a test specifies, so that each refusal can be
provoked."""

import base64
import hashlib
import ssl
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.directory import PUBLIC_CLIENT
from graphrelay.sandbox.visitor import Visitor

TENANT = "contoso.onmicrosoft.com"
REDIRECT = "http://localhost:49152/"
VERIFIER = "correct-horse-battery-staple-correct-horse-battery"
CHALLENGE = (
    base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
)
SCOPE = "https://graph.microsoft.com/Mail.Send offline_access openid profile"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


class Client:
    """By default the public client, at Contoso, with PKCE; each field can be overridden."""

    def __init__(self, cloud: Sandbox, visitor: Visitor) -> None:
        self._cloud = cloud
        self._visitor = visitor
        tls = ssl.create_default_context(cafile=str(cloud.ca_file))
        self.http = httpx.AsyncClient(base_url=cloud.login_url, verify=tls, trust_env=False)

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.http.aclose()

    def authorize_url(self, tenant: str = TENANT, /, **fields: str | None) -> str:
        """Fields that are `None` are left out."""
        query: dict[str, str | None] = {
            "client_id": PUBLIC_CLIENT,
            "response_type": "code",
            "redirect_uri": REDIRECT,
            "scope": SCOPE,
            "state": "state-1",
            "nonce": "nonce-1",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        }
        given = {key: value for key, value in {**query, **fields}.items() if value is not None}
        return f"{self._cloud.login_url}/{tenant}/oauth2/v2.0/authorize?{urlencode(given)}"

    async def sign_in(
        self, email: str = "wp@contoso.com", tenant: str = TENANT, /, **fields: str | None
    ) -> str:
        """The authorization code."""
        landing = await self._visitor.sign_in(self.authorize_url(tenant, **fields), email)
        return answer_of(landing)["code"]

    async def token(
        self, tenant: str = TENANT, headers: dict[str, str] | None = None, /, **form: str
    ) -> httpx.Response:
        return await self.http.post(f"/{tenant}/oauth2/v2.0/token", data=form, headers=headers)

    async def redeem(self, code: str, tenant: str = TENANT, /, **fields: str) -> httpx.Response:
        form = {
            "grant_type": "authorization_code",
            "client_id": PUBLIC_CLIENT,
            "code": code,
            "redirect_uri": REDIRECT,
            "code_verifier": VERIFIER,
            "scope": SCOPE,
        }
        return await self.token(tenant, **{**form, **fields})

    async def tokens(self, email: str = "wp@contoso.com", tenant: str = TENANT) -> dict[str, Any]:
        """Signed in and redeemed."""
        answer = await self.redeem(await self.sign_in(email, tenant), tenant)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def refresh(self, token: str, tenant: str = TENANT, /, **fields: str) -> httpx.Response:
        form = {"grant_type": "refresh_token", "client_id": PUBLIC_CLIENT, "refresh_token": token}
        return await self.token(tenant, **{**form, "scope": SCOPE, **fields})


def answer_of(landing: str) -> dict[str, str]:
    """The fields that were returned to the application, from query or fragment."""
    parts = urlsplit(landing)
    return dict(parse_qsl(parts.query or parts.fragment))


def refused(answer: httpx.Response) -> tuple[int, str, int]:
    """HTTP status, OAuth error and AADSTS number of an error answer."""
    body = answer.json()
    return answer.status_code, body["error"], body["error_codes"][0]


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def make_certificate(
    start: datetime | None = None, days: int = 365
) -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    """A self-signed certificate as an administrator would upload it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "graphrelay")])
    begins = start or datetime.now(UTC) - timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    return key, certificate
