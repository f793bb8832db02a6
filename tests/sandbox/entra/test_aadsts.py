"""The table from AADSTS number to OAuth error and text."""

import string

import pytest

from graphrelay.sandbox.entra.aadsts import KNOWN
from graphrelay.sandbox.entra.errors import Refused

OAUTH = {
    "access_denied",
    "bad_verification_code",
    "authorization_declined",
    "authorization_pending",
    "consent_required",
    "expired_token",
    "interaction_required",
    "invalid_client",
    "invalid_grant",
    "invalid_request",
    "invalid_resource",
    "invalid_scope",
    "login_required",
    "server_error",
    "temporarily_unavailable",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_response_type",
}
"""RFC 6749 sections 4.1.2.1 and 5.2, RFC 8628 section 3.5, OpenID Connect Core 3.1.2.6, and
`invalid_resource` and `bad_verification_code`, which are Entra's own."""


@pytest.mark.parametrize("code", sorted(KNOWN))
def test_every_text_can_be_written(code: int) -> None:
    places = [name for _, name, _, _ in string.Formatter().parse(KNOWN[code].text) if name]
    text = Refused(code, **dict.fromkeys(places, "VALUE")).text
    assert text.count("VALUE") == len(places)


@pytest.mark.parametrize("code", sorted(KNOWN))
def test_every_error_is_one_that_oauth_or_entra_documents(code: int) -> None:
    assert KNOWN[code].error in OAUTH


@pytest.mark.parametrize("code", sorted(KNOWN))
def test_what_passes_without_a_person_is_no_client_error_of_oauth(code: int) -> None:
    known = KNOWN[code]
    passing = known.error in ("server_error", "temporarily_unavailable")
    assert passing == (known.status >= 500 or known.status == 429)
