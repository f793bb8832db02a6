"""Claims are read to be shown; reading never raises, whatever the token is."""

import base64
import json

from hypothesis import given
from hypothesis import strategies as st

from graphrelay.oauth.entra.claims import claims_of, roles_of, scopes_of


def jwt(payload: object) -> str:
    part = base64.urlsafe_b64encode(json.dumps(payload).encode()).decode().rstrip("=")
    return f"e30.{part}.sig"


def test_roles_and_scopes_are_read() -> None:
    assert roles_of(jwt({"roles": ["Mail.Send"]})) == ("Mail.Send",)
    assert scopes_of(jwt({"scp": "Mail.Send User.Read"})) == ("Mail.Send", "User.Read")


def test_a_personal_accounts_opaque_token_has_no_claims() -> None:
    assert claims_of("EwB4A8l6BAAU") == {}


def test_nothing_about_a_token_is_verified() -> None:
    """Neither its times nor its claims: Entra, not we, decides what a token is good for."""
    odd = {"exp": 1, "nbf": 9e12, "iat": "yesterday", "sub": 7, "aud": ["x"], "roles": ["R"]}
    assert claims_of(jwt(odd)) == odd


def test_odd_claims_count_as_none() -> None:
    assert claims_of(f"e30.{base64.urlsafe_b64encode(b'[' * 30_000).decode()}.sig") == {}
    assert roles_of(jwt({"roles": "Mail.Send"})) == ()
    assert scopes_of(jwt({"scp": ["x"]})) == ()
    assert claims_of(jwt(["not", "an", "object"])) == {}


@given(st.text())
def test_any_text_is_tolerated(text: str) -> None:
    assert isinstance(claims_of(text), dict)


@given(st.binary())
def test_any_payload_is_tolerated(octets: bytes) -> None:
    part = base64.urlsafe_b64encode(octets).decode()
    assert isinstance(claims_of(f"a.{part}.b"), dict)
