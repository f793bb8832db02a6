"""A client assertion: what an application with a certificate proves itself with.

A JWT, signed with the certificate's private key and naming the certificate by its SHA-256
thumbprint, as
https://learn.microsoft.com/entra/identity-platform/certificate-credentials describes it (RFC 7523,
RFC 7515). Made here and not by msal, so that its times come from our clock.
"""

import base64
import hashlib
import json
import secrets
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

VALID = timedelta(minutes=10)


def client_assertion(
    key: RSAPrivateKey,
    certificate: x509.Certificate,
    client_id: str,
    token_endpoint: str,
    now: datetime,
) -> str:
    """A fresh one, good for ten minutes and for this token endpoint alone."""
    header = {"alg": "PS256", "typ": "JWT", "x5t#S256": _base64url(thumbprint(certificate))}
    issued = int(now.timestamp())
    claims = {
        "aud": token_endpoint,
        "iss": client_id,
        "sub": client_id,
        "jti": secrets.token_hex(16),
        "iat": issued,
        "nbf": issued,
        "exp": issued + int(VALID.total_seconds()),
    }
    signed = f"{_part(header)}.{_part(claims)}"
    signature = key.sign(
        signed.encode("ascii"),
        # RFC 7518 section 3.5: the salt is as long as the hash.
        padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256.digest_size),
        hashes.SHA256(),
    )
    return f"{signed}.{_base64url(signature)}"


def thumbprint(certificate: x509.Certificate) -> bytes:
    """SHA-256 over the DER form, as Entra computes it for an uploaded certificate."""
    return hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).digest()


def _part(value: dict[str, Any]) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")
