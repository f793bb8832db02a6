"""Each outcome says by itself all that the mail log needs."""

from datetime import timedelta

import pytest

from graphrelay.model import (
    Answer,
    Delayed,
    Failed,
    Outcome,
    Paused,
    Relayed,
    Trouble,
    Uncertain,
)


@pytest.mark.parametrize(
    "outcome",
    [
        Delayed(status="4.7.0", reason="throttled", retry_after=timedelta(seconds=3)),
        Failed(status="5.1.1", reason="no such recipient"),
        Uncertain(reason="the answer was lost"),
        Paused(trouble=Trouble.QUOTA, status="4.2.2", reason="full"),
    ],
)
def test_without_an_http_answer_there_is_an_empty_one(outcome: Outcome) -> None:
    assert outcome.answer == Answer()
    assert outcome.answer.http_status is None


def test_two_outcomes_with_one_content_are_equal() -> None:
    assert Relayed(answer=Answer(http_status=202)) == Relayed(answer=Answer(http_status=202))
    assert Relayed(answer=Answer(http_status=202)) != Relayed(answer=Answer(http_status=200))


def test_the_names_of_troubles_are_what_log_and_listings_show() -> None:
    assert [str(trouble) for trouble in Trouble] == ["authorization", "quota", "blocked"]
