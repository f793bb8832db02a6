"""The authorization as it is stored: small, complete, and without a secret in its repr."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.oauth.authorization import (
    AccessToken,
    Approved,
    Binding,
    Kept,
    SignedIn,
    Unreadable,
    User,
    Withdrawn,
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
BINDING = Binding.of(WEBSITE, GLOBAL)
USER = User(username="wp@contoso.com", tenant_id="t", refresh_token="refresh-secret")
SIGNED_IN = SignedIn(
    authorized_at=NOW, authorized_by="root", binding=BINDING, access=ACCESS, signed_in=USER
)
APPROVED = Approved(authorized_at=NOW, authorized_by="root", binding=BINDING, access=ACCESS)


@pytest.mark.parametrize("kept", [SIGNED_IN, APPROVED, Withdrawn(withdrawn_at=NOW)])
def test_it_comes_back_as_it_was(kept: Kept) -> None:
    assert from_text(to_text(kept)) == kept


def test_it_is_small() -> None:
    assert len(to_text(SIGNED_IN)) < 700


@given(st.text())
def test_anything_else_is_unreadable_and_says_so(text: str) -> None:
    with pytest.raises(Unreadable):
        from_text(text)


@given(st.data())
def test_a_document_with_any_part_missing_is_unreadable(data: st.DataObject) -> None:
    document = json.loads(to_text(SIGNED_IN))
    name = data.draw(st.sampled_from(sorted(document)))
    document[name] = data.draw(st.sampled_from([None, [], 1.5, {}]))
    with pytest.raises(Unreadable):
        from_text(json.dumps(document))


def test_a_signed_in_user_who_cannot_be_read_is_not_taken_for_an_application() -> None:
    document = json.loads(to_text(SIGNED_IN))
    del document["signed_in"]["refresh_token"]
    with pytest.raises(Unreadable, match=r"signed_in\.refresh_token"):
        from_text(json.dumps(document))


def test_deeply_nested_text_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        from_text("[" * 30_000)


def test_what_cannot_be_read_is_not_quoted() -> None:
    text = to_text(SIGNED_IN).replace('"format":1', '"format":2')
    with pytest.raises(Unreadable, match="format") as caught:
        from_text(text)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_answer_without_a_refresh_token_keeps_the_old_one() -> None:
    newer = replace(ACCESS, text="newer")
    kept = renewed(SIGNED_IN, newer, None)
    assert isinstance(kept, SignedIn)
    assert (kept.signed_in, kept.access) == (USER, newer)
    rolled = renewed(SIGNED_IN, newer, "rolled")
    assert isinstance(rolled, SignedIn)
    assert rolled.signed_in.refresh_token == "rolled"
    assert renewed(APPROVED, newer, None) == replace(APPROVED, access=newer)


def test_it_is_bound_to_what_it_was_given_for() -> None:
    ours = Binding.of(WEBSITE, GLOBAL)
    assert ours.differences(Binding.of(WEBSITE, GLOBAL)) == ()
    assert ours.differences(Binding.of(DAEMON, GLOBAL)) == ("scenario", "client_id", "username")
    other = replace(WEBSITE, mailboxes=("*@contoso.com",), name="other")
    assert ours.differences(Binding.of(other, GLOBAL)) == ()


def test_each_consent_is_another_one() -> None:
    again = Approved(authorized_at=NOW, authorized_by="root", binding=BINDING, access=ACCESS)
    assert again.id != APPROVED.id


def test_no_secret_is_in_any_repr() -> None:
    assert "secret" not in repr(SIGNED_IN) + repr(APPROVED)
