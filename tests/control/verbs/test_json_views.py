"""Values as events: keys that programs rely on, and values as JSON has them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from graphrelay.control.verbs import json_views
from graphrelay.model import Address, Done, Held, Lane, NextState, Queued
from graphrelay.oauth.answers import TokenRefused
from graphrelay.oauth.tokens.status import Status
from graphrelay.relay.policy.budget import Limit, Use
from graphrelay.relay.queue.lane_view import LaneView
from graphrelay.spool.values import QueueRow

NOON = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)
LANE = Lane("website", "wp@contoso.com")


def row(state: NextState, in_flight_since: datetime | None = None) -> dict[str, Any]:
    return json_views.queue_row(
        QueueRow(
            submission_id=1,
            queue_id="4QX7K2M9",
            received_at=NOON,
            sender=None,
            recipients=(Address("a", "example.org"),),
            size=2310,
            subject="An invoice",
            lane=LANE,
            route="default",
            state=state,
            attempts=2,
            in_flight_since=in_flight_since,
            last="busy",
        ),
        NOON,
        None,
    )


def test_moments_are_utc_to_the_second_and_no_sender_is_a_pair_of_brackets() -> None:
    event = row(Queued(NOON))
    assert event["received_at"] == event["not_before"] == "2026-11-23T12:00:00+00:00"
    assert event["sender"] == "<>"
    assert event["recipients"] == ["a@example.org"]
    assert json.loads(json.dumps(event)) == event


@pytest.mark.parametrize(
    ("state", "in_flight_since", "name"),
    [
        (Queued(NOON), None, "queued"),
        (Queued(NOON), NOON, "in flight"),
        (Held("by hand"), None, "held"),
        (Done("relayed", ""), None, "relayed"),
    ],
)
def test_a_state_has_one_name(
    state: NextState, in_flight_since: datetime | None, name: str
) -> None:
    assert row(state, in_flight_since)["state"] == name


def test_a_lane_shows_its_budgets_in_seconds() -> None:
    use = Use(Limit("messages", 30, timedelta(minutes=1)), 15, timedelta(minutes=1, seconds=0.4))
    event = json_views.lane(
        LaneView(
            lane=LANE,
            state="open",
            reason="",
            remedy="",
            until=None,
            waiting=3,
            in_flight=1,
            allowed=4,
            oldest=NOON,
            budgets=(use,),
        )
    )
    assert event["budgets"] == [
        {"what": "messages", "used": 15, "most": 30, "window": 60, "exhausted_in": 60}
    ]
    assert (event["until"], event["oldest"]) == (None, "2026-11-23T12:00:00+00:00")


def test_a_refused_account_shows_microsofts_words_and_a_remedy() -> None:
    refused = TokenRefused(
        error="invalid_grant",
        suberror="",
        error_codes=(50173,),
        description="The token was revoked.",
        kind="expired",
        remedy="Run: graphrelay authorize website",
    )
    event = json_views.status(Status("website", "user", refused, None, "file"))
    assert (event["status"], event["well"]) == ("Refused", False)
    assert (event["reason"], event["error_codes"]) == ("The token was revoked.", [50173])
    assert event["remedy"] == "Run: graphrelay authorize website"
