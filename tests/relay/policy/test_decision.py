"""What follows from each outcome, for the message and for its lane."""

from dataclasses import replace
from datetime import timedelta

import pytest

from graphrelay.model import Done, Failed, Held, Outcome, Queued
from graphrelay.relay.policy.decision import (
    EXPIRED,
    Decision,
    Flows,
    Slower,
    Stops,
    decide,
    in_words,
)
from graphrelay.relay.policy.schedule import DeliveryPolicy
from tests.clock import FakeClock
from tests.relay.delivery import BUSY, FULL, LOST, REFUSED, RELAYED, submission, throttled

NOW = FakeClock().now()
POLICY = DeliveryPolicy()
HOLD = DeliveryPolicy(on_uncertain="hold")
SECOND = timedelta(seconds=1)


def decision(
    outcome: Outcome,
    *,
    attempts: int = 1,
    policy: DeliveryPolicy = POLICY,
    age: timedelta = timedelta(0),
) -> Decision:
    one = submission(1, received_at=NOW - age)
    return decide(outcome, one, attempts, policy, NOW, 0.0)


def test_relayed_is_done() -> None:
    assert decision(RELAYED) == Decision(Done("relayed"), Flows())


def test_failed_is_done_reported_and_no_fault_of_the_lane() -> None:
    assert decision(REFUSED) == Decision(Done("failed", REFUSED.reason), Flows(), REFUSED)


def test_delayed_waits_and_slows_the_lane() -> None:
    assert decision(BUSY) == Decision(Queued(NOW + 30 * SECOND), Slower(BUSY.reason))


def test_what_the_other_side_asked_for_reaches_message_and_lane() -> None:
    found = decision(throttled(600))
    assert found.next == Queued(NOW + 600 * SECOND)
    assert found.feedback == Slower("Exchange is busy", 600 * SECOND)


def test_paused_keeps_its_place_and_stops_the_lane_however_old_it_is() -> None:
    found = decision(FULL, attempts=500, age=timedelta(days=100))
    assert found == Decision(Queued(NOW), Stops(FULL))


def test_uncertain_is_sent_again_or_held() -> None:
    assert decision(LOST).next == Queued(NOW + 30 * SECOND)
    held = decision(LOST, policy=HOLD)
    assert isinstance(held.next, Held)
    assert "may have been sent" in held.next.reason
    assert held.failed is None


def test_a_message_too_old_is_given_up_with_the_last_reason() -> None:
    found = decision(BUSY, attempts=100, age=timedelta(days=6))
    assert isinstance(found.next, Done)
    assert found.failed == Failed(
        status=EXPIRED,
        reason="Given up after 5 days. The last time: Exchange is busy.",
        answer=BUSY.answer,
    )


def test_an_uncertain_message_that_is_given_up_says_that_it_may_have_been_sent() -> None:
    found = decision(replace(LOST), attempts=100, age=timedelta(days=6))
    assert found.failed is not None
    assert found.failed.reason.endswith("It may have been sent.")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (1, "1 second"),
        (30, "30 seconds"),
        (60, "1 minute"),
        (90, "90 seconds"),
        (5_400, "90 minutes"),
        (3_600, "1 hour"),
        (86_400, "1 day"),
        (432_000, "5 days"),
    ],
)
def test_durations_in_words(seconds: int, words: str) -> None:
    assert in_words(timedelta(seconds=seconds)) == words
