"""The authorization as it is kept: small, whole, and silent about itself."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.oauth.authorization import (
    AccessToken,
    Approved,
    Authorization,
    Binding,
    Consent,
    SignedIn,
    Unreadable,
    from_text,
    renewed,
    to_text,
)
from graphrelay.oauth.cloud import GLOBAL
from tests.clock import FakeClock
from tests.oauth.conftest import DAEMON, WEBSITE

NOW = FakeClock().now()
ACCESS = AccessToken(
    text="access-secret",
    obtained_at=NOW,
    expires_at=NOW + timedelta(hours=1),
    scopes=("Mail.Send",),
)
CONSENT = Consent(at=NOW, by="root", binding=Binding.of(WEBSITE, GLOBAL))
SIGNED_IN = SignedIn(
    consent=CONSENT,
    username="wp@contoso.com",
    tenant_id="t",
    refresh_token="refresh-secret",
    access=ACCESS,
)
APPROVED = Approved(consent=CONSENT, access=ACCESS)


@pytest.mark.parametrize("authorization", [SIGNED_IN, APPROVED])
def test_it_comes_back_as_it_was(authorization: Authorization) -> None:
    assert from_text(to_text(authorization)) == authorization


def test_it_is_small() -> None:
    assert len(to_text(SIGNED_IN)) < 700


@given(st.text())
def test_anything_else_is_unreadable_and_says_so(text: str) -> None:
    with pytest.raises(Unreadable):
        from_text(text)


@given(st.data())
def test_a_document_with_any_part_missing_is_unreadable(data: st.DataObject) -> None:
    document = json.loads(to_text(SIGNED_IN))
    name = data.draw(st.sampled_from(sorted(document.keys() - {"signed_in"})))
    document[name] = data.draw(st.sampled_from([None, [], "x", {}]))
    if name in ("id", "authorized_by"):
        return
    with pytest.raises(Unreadable):
        from_text(json.dumps(document))


def test_what_cannot_be_read_is_not_quoted() -> None:
    text = to_text(SIGNED_IN).replace('"format":1', '"format":2')
    with pytest.raises(Unreadable) as caught:
        from_text(text)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_answer_without_a_refresh_token_keeps_the_old_one() -> None:
    newer = replace(ACCESS, text="newer")
    kept = renewed(SIGNED_IN, newer, None)
    assert isinstance(kept, SignedIn)
    assert (kept.refresh_token, kept.access) == ("refresh-secret", newer)
    rolled = renewed(SIGNED_IN, newer, "rolled")
    assert isinstance(rolled, SignedIn)
    assert rolled.refresh_token == "rolled"
    assert renewed(APPROVED, newer, None) == replace(APPROVED, access=newer)


def test_it_is_bound_to_what_it_was_given_for() -> None:
    ours = Binding.of(WEBSITE, GLOBAL)
    assert ours.differences(Binding.of(WEBSITE, GLOBAL)) == ()
    assert ours.differences(Binding.of(DAEMON, GLOBAL)) == ("scenario", "client_id", "username")
    other = replace(WEBSITE, mailboxes=("*@contoso.com",), name="other")
    assert ours.differences(Binding.of(other, GLOBAL)) == ()


def test_each_consent_is_another_one() -> None:
    again = Consent(at=NOW, by="root", binding=CONSENT.binding)
    assert again.id != CONSENT.id


def test_no_secret_is_in_any_repr() -> None:
    assert "secret" not in repr(SIGNED_IN) + repr(APPROVED)
