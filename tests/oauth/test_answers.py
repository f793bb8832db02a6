"""The answers to a request for a token, and the outcome of requests to Graph without one."""

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from graphrelay.model import Delayed, Paused, Trouble
from graphrelay.oauth.answers import (
    EntraUnreachable,
    Granted,
    NotGranted,
    TokenAnswer,
    TokenRefused,
    Unauthorized,
    VaultProblem,
    outcome_without_token,
)


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


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (
            Unauthorized(reason="Nobody has authorized it.", remedy="do"),
            "Nobody has authorized it.",
        ),
        (
            TokenRefused(error="invalid_grant", kind="expired", remedy="do"),
            "Microsoft refused a token (invalid_grant)",
        ),
        (
            TokenRefused(
                error="invalid_grant", kind="expired", remedy="do", description="Expired."
            ),
            "Microsoft refused a token (Expired.)",
        ),
        (VaultProblem(reason="The vault is locked.", remedy="do"), "The vault is locked."),
    ],
)
def test_what_a_person_must_change_pauses_the_lane(answer: NotGranted, reason: str) -> None:
    assert outcome_without_token("website", answer) == Paused(
        trouble=Trouble.AUTHORIZATION,
        status="4.7.0",
        reason=f'account "website": {reason}',
        remedy="do",
    )


def test_entra_out_of_reach_delays_as_long_as_it_asked_for() -> None:
    answer = EntraUnreachable(reason="timeout", retry_after=timedelta(seconds=9))
    outcome = outcome_without_token("website", answer)
    assert isinstance(outcome, Delayed)
    assert outcome.retry_after == timedelta(seconds=9)
    assert outcome.reason == 'account "website": no token could be fetched: timeout'
