"""Client assertions (RFC 7523): a JWT in place of a client secret.

Two kinds, distinguished by `iss`: signed with the application's own certificate (`iss` is the
client id; `x5t` or `x5t#S256` names the certificate), or issued by another party that a federated
credential names. The rules are those of entra-docs, "certificate credentials".
"""

import base64
import binascii
from collections.abc import Container
from datetime import UTC, datetime
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, Hash
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate

from graphrelay.sandbox.directory import App, FederatedCredential
from graphrelay.sandbox.entra.errors import Refused

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")


def check(assertion: str, app: App, audiences: Container[str], now: datetime) -> None:
    """Check that `assertion` proves that the caller is `app`. Raises `Refused`."""
    try:
        header = jwt.get_unverified_header(assertion)
        claims: dict[str, Any] = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.PyJWTError as problem:
        raise Refused(50027) from problem
    if header.get("alg") not in ALGORITHMS:
        raise Refused(5002738, algorithm=str(header.get("alg")))
    if claims.get("iss") == app.client_id or claims.get("sub") == app.client_id:
        _check_certificate(assertion, header, claims, app, audiences, now)
    else:
        _check_federated(assertion, claims, app)
    _check_time(claims, now)


def _check_certificate(
    assertion: str,
    header: dict[str, Any],
    claims: dict[str, Any],
    app: App,
    audiences: Container[str],
    now: datetime,
) -> None:
    certificate = _named_certificate(header, app)
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise Refused(700027, reason="The key was not found.")
    _check_signature(assertion, key)
    if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
        raise Refused(700027, reason="The key used is expired.")
    if claims.get("iss") != app.client_id or claims.get("sub") != app.client_id:
        raise Refused(700021)
    if claims.get("aud") not in audiences:
        raise Refused(700023)


def _check_federated(assertion: str, claims: dict[str, Any], app: App) -> None:
    left: list[FederatedCredential] = app.federated_credentials
    for code, claim in ((700211, "iss"), (700213, "sub"), (700212, "aud")):
        value = claims.get(claim)
        left = [one for one in left if _field(one, claim) == value]
        if not left:
            raise Refused(code, value=str(value))
    _check_signature(assertion, left[0].public_key)


def _field(credential: FederatedCredential, claim: str) -> str:
    return {"iss": credential.issuer, "sub": credential.subject, "aud": credential.audience}[claim]


def _check_signature(assertion: str, key: RSAPublicKey | str) -> None:
    unchecked = {f"verify_{claim}": False for claim in ("exp", "nbf", "iat", "aud", "sub", "jti")}
    try:
        jwt.decode(assertion, key, algorithms=list(ALGORITHMS), options=unchecked)  # type: ignore[arg-type]
    except jwt.PyJWTError as problem:
        raise Refused(700027, reason="The signature is invalid.") from problem


def _named_certificate(header: dict[str, Any], app: App) -> Certificate:
    """The certificate that `x5t#S256` or `x5t` names, with or without base64 padding."""
    for name, digest in (("x5t#S256", SHA256()), ("x5t", SHA1())):  # noqa: S303 (RFC 7517)
        if name not in header:
            continue
        wanted = _decoded(str(header[name]))
        for certificate in app.certificates:
            if _thumbprint(certificate, digest) == wanted:
                return certificate
        key = f"Thumbprint of key used by client: '{wanted.hex().upper()}'"
        raise Refused(700027, reason=f"The key was not found., {key}")
    raise Refused(700027, reason="The key was not found.")


def _thumbprint(certificate: Certificate, algorithm: SHA1 | SHA256) -> bytes:
    digest = Hash(algorithm)
    digest.update(certificate.public_bytes(Encoding.DER))
    return digest.finalize()


def _decoded(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4))
    except (binascii.Error, ValueError):
        return b""


def _check_time(claims: dict[str, Any], now: datetime) -> None:
    """`exp` is required; `nbf` may be missing; both may be fractions (msal sends floats)."""
    at = now.timestamp()
    starts, ends = claims.get("nbf", at), claims.get("exp", 0)
    if not isinstance(starts, int | float) or not isinstance(ends, int | float):
        raise Refused(50027)
    slack = 300
    if at + slack < starts or at - slack >= ends:
        raise Refused(
            700024,
            current=_time(at),
            valid_from=_time(starts),
            expires=_time(ends),
        )


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S.0000000Z}"
