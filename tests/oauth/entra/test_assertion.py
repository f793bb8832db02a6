"""A client assertion: how an application with a certificate authenticates."""

import base64
import hashlib

import jwt
from cryptography.hazmat.primitives import serialization

from graphrelay.oauth.entra.assertion import client_assertion, thumbprint
from tests.clock import FakeClock
from tests.oauth.entra.test_credentials import CERTIFICATE, KEY

NOW = FakeClock().now()
ENDPOINT = "https://login.microsoftonline.com/contoso.com/oauth2/v2.0/token"
IN_ANY_TIME = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
"""The assertion is stamped by our clock, which is not this machine's."""


def made() -> str:
    return client_assertion(KEY, CERTIFICATE, "client", ENDPOINT, NOW)


def test_it_is_signed_and_names_the_certificate_as_microsoft_describes() -> None:
    header = jwt.get_unverified_header(made())
    named = header.pop("x5t#S256")
    assert header == {"alg": "PS256", "typ": "JWT"}
    der = CERTIFICATE.public_bytes(serialization.Encoding.DER)
    assert base64.urlsafe_b64decode(named + "=") == hashlib.sha256(der).digest()
    assert thumbprint(CERTIFICATE) == hashlib.sha256(der).digest()


def test_it_is_good_for_one_client_one_endpoint_and_ten_minutes() -> None:
    claims = jwt.decode(
        made(),
        KEY.public_key(),
        algorithms=["PS256"],
        audience=ENDPOINT,
        options=IN_ANY_TIME,  # type: ignore[arg-type]
    )
    assert claims["iss"] == claims["sub"] == "client"
    assert claims["iat"] == claims["nbf"] == int(NOW.timestamp())
    assert claims["exp"] - claims["nbf"] == 600


def test_no_two_are_the_same() -> None:
    assert made() != made()
