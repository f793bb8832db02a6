"""A client assertion: how an application with a certificate authenticates.

A JWT, signed with the certificate's private key and naming the certificate by its SHA-256
thumbprint, as
https://learn.microsoft.com/entra/identity-platform/certificate-credentials describes it (RFC 7523).
Made here and not by msal, so that its times come from our clock.
"""

import base64
import secrets
from datetime import datetime, timedelta

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

VALID = timedelta(minutes=10)


def client_assertion(
    key: RSAPrivateKey,
    certificate: x509.Certificate,
    client_id: str,
    token_endpoint: str,
    now: datetime,
) -> str:
    """A new one, good for ten minutes and for this token endpoint alone."""
    claims = {
        "aud": token_endpoint,
        "iss": client_id,
        "sub": client_id,
        "jti": secrets.token_hex(16),
        "iat": now,
        "nbf": now,
        "exp": now + VALID,
    }
    name = base64.urlsafe_b64encode(thumbprint(certificate)).rstrip(b"=").decode("ascii")
    return jwt.encode(claims, key, "PS256", {"x5t#S256": name})


def thumbprint(certificate: x509.Certificate) -> bytes:
    """SHA-256 over the DER form, as Entra computes it for an uploaded certificate."""
    return certificate.fingerprint(hashes.SHA256())
