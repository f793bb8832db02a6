"""Client assertions: which ones authenticate the application, and which do not."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from graphrelay.sandbox.directory import CONTOSO, App, FederatedCredential
from graphrelay.sandbox.entra.assertions import check
from graphrelay.sandbox.entra.errors import Refused
from tests.sandbox.entra.client import make_certificate

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
AUDIENCE = "https://localhost:1/contoso.com/oauth2/v2.0/token"
KEY, CERTIFICATE = make_certificate(NOW - timedelta(days=10), days=20)
OTHER_KEY, OTHER = make_certificate(NOW - timedelta(days=10), days=20)
ISSUER = "https://issuer.example.com"


def an_app() -> App:
    return App(display_name="app", tenant_id=CONTOSO, certificates=[OTHER, CERTIFICATE])


def thumbprint(algorithm: hashes.HashAlgorithm) -> str:
    return base64.urlsafe_b64encode(CERTIFICATE.fingerprint(algorithm)).decode()


def claims_for(app: App, **fields: Any) -> dict[str, Any]:
    claims = {
        "aud": AUDIENCE,
        "iss": app.client_id,
        "sub": app.client_id,
        "jti": "1",
        "nbf": NOW.timestamp(),
        "exp": (NOW + timedelta(minutes=10)).timestamp(),
    }
    return {key: value for key, value in {**claims, **fields}.items() if value is not None}


def signed(
    app: App,
    algorithm: str = "PS256",
    key: rsa.RSAPrivateKey = KEY,
    headers: dict[str, str] | None = None,
    **fields: Any,
) -> str:
    named = headers or {"x5t#S256": thumbprint(hashes.SHA256())}
    return jwt.encode(claims_for(app, **fields), key, algorithm, named)


def code_of(app: App, assertion: str, now: datetime = NOW) -> int:
    with pytest.raises(Refused) as refused:
        check(assertion, app, {AUDIENCE}, now)
    return refused.value.code


@pytest.mark.parametrize("algorithm", ["PS256", "RS256"])
@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize(
    ("name", "digest"), [("x5t#S256", hashes.SHA256()), ("x5t", hashes.SHA1())]
)
def test_a_registered_certificate_proves_the_application(
    algorithm: str, padded: bool, name: str, digest: hashes.HashAlgorithm
) -> None:
    app = an_app()
    mark = thumbprint(digest) if padded else thumbprint(digest).rstrip("=")
    check(signed(app, algorithm, headers={name: mark}), app, {AUDIENCE}, NOW)


def test_times_may_be_fractions_and_nbf_may_be_missing() -> None:
    app = an_app()
    check(signed(app, nbf=None, exp=NOW.timestamp() + 600.5), app, {AUDIENCE}, NOW)


def test_a_certificate_that_is_not_registered_is_not_found() -> None:
    app = an_app()
    app.certificates.remove(CERTIFICATE)
    assert code_of(app, signed(app)) == 700027
    assert code_of(app, signed(app, headers={"kid": "none"})) == 700027
    assert code_of(app, signed(app, headers={"x5t": "!!"})) == 700027


def test_another_key_does_not_sign_for_a_certificate() -> None:
    app = an_app()
    assert code_of(app, signed(app, key=OTHER_KEY)) == 700027


def test_an_expired_certificate_proves_nothing() -> None:
    app = an_app()
    later = NOW + timedelta(days=11)
    late = signed(app, nbf=later.timestamp(), exp=(later + timedelta(minutes=5)).timestamp())
    assert code_of(app, late, later) == 700027


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"aud": "https://login.microsoftonline.com/"}, 700023),
        ({"iss": "7d2f0a4e-0000-4000-8000-000000000000"}, 700021),
        ({"exp": NOW.timestamp() - 600}, 700024),
        ({"exp": None}, 700024),
        ({"nbf": NOW.timestamp() + 600}, 700024),
        ({"exp": "soon"}, 50027),
    ],
)
def test_the_claims_must_fit(fields: dict[str, Any], code: int) -> None:
    app = an_app()
    assert code_of(app, signed(app, **fields)) == code


def test_what_is_no_jwt_is_malformed() -> None:
    assert code_of(an_app(), "nonsense") == 50027


def test_other_algorithms_are_refused() -> None:
    app = an_app()
    key = "a shared secret that is long enough for this"
    assert code_of(app, jwt.encode(claims_for(app), key, "HS256")) == 5002738


# Federated credentials ---------------------------------------------------------------------------


def federated(**fields: str) -> str:
    claims = {"iss": ISSUER, "sub": "relay", "aud": "api://AzureADTokenExchange"}
    exp = (NOW + timedelta(hours=1)).timestamp()
    return jwt.encode({**claims, "exp": exp, **fields}, KEY, "RS256")


def trusting() -> App:
    public = KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    credential = FederatedCredential(issuer=ISSUER, subject="relay", public_key=public.decode())
    return App(display_name="app", tenant_id=CONTOSO, federated_credentials=[credential])


def test_a_token_of_a_trusted_issuer_proves_the_application() -> None:
    check(federated(), trusting(), {AUDIENCE}, NOW)


@pytest.mark.parametrize(
    ("fields", "code"),
    [({"iss": "https://evil.example.com"}, 700211), ({"sub": "x"}, 700213), ({"aud": "x"}, 700212)],
)
def test_each_claim_of_a_federated_token_must_match(fields: dict[str, str], code: int) -> None:
    assert code_of(trusting(), federated(**fields)) == code


def test_a_federated_token_must_be_signed_by_its_issuer() -> None:
    claims = {"iss": ISSUER, "sub": "relay", "aud": "api://AzureADTokenExchange", "exp": 2e9}
    assert code_of(trusting(), jwt.encode(claims, OTHER_KEY, "RS256")) == 700027


def test_an_application_without_federated_credentials_trusts_nobody() -> None:
    assert code_of(an_app(), federated()) == 700211
