"""The answers to a request for a token: data that shows no secret."""

from datetime import UTC, datetime
from typing import get_args

from graphrelay.oauth.answers import Granted, NotGranted, TokenAnswer


def test_a_token_is_in_no_repr() -> None:
    granted = Granted(
        access_token="a-secret",
        expires_at=datetime(2026, 11, 23, tzinfo=UTC),
        scopes=("Mail.Send",),
    )
    assert "a-secret" not in repr(granted)
    assert "Mail.Send" in repr(granted)


def test_whatever_is_not_a_token_says_why() -> None:
    assert {*get_args(TokenAnswer)} == {Granted, *get_args(NotGranted)}
    for kind in get_args(NotGranted):
        assert {"reason", "description"} & set(kind.__slots__), kind
