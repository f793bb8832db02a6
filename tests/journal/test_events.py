"""The catalogue of events: their names and what their lines show."""

import inspect
from datetime import UTC, datetime

import pytest

from graphrelay.journal import events
from graphrelay.journal.event import LEVELS, Event
from graphrelay.model import Origin

CATALOGUE = [
    event
    for _, event in inspect.getmembers(events, inspect.isclass)
    if issubclass(event, Event) and event is not Event
]
ORIGIN = Origin("127.0.0.1:2525", "127.0.0.1")


def test_a_name_is_the_types_name_in_small_letters() -> None:
    assert events.Paused.name == "paused"
    assert events.OutcomeNotRecorded.name == "outcome-not-recorded"
    assert len({event.name for event in CATALOGUE}) == len(CATALOGUE) > 60


@pytest.mark.parametrize("event", CATALOGUE, ids=lambda event: event.name)
def test_every_event_has_a_level_and_says_what_it_means(event: type[Event]) -> None:
    assert event.level in LEVELS
    assert event.__doc__
    assert not event.__doc__.startswith(event.__name__ + "(")  # what dataclass writes by itself


def test_a_mistake_of_the_relay_itself_ends_in_broke_and_is_an_error() -> None:
    broke = [event for event in CATALOGUE if event.name.endswith("-broke")]
    assert broke
    assert {event.level for event in broke} == {"error"}


def test_an_event_cannot_be_changed_and_equals_another_with_the_same_fields() -> None:
    event = events.Revoked("website")
    with pytest.raises(AttributeError):
        event.account = "other"  # type: ignore[misc]
    assert event == events.Revoked("website")


def test_a_line_shows_the_fields_in_their_order_and_moments_to_the_second() -> None:
    until = datetime(2026, 11, 23, 12, 0, 1, 999, tzinfo=UTC)
    event = events.BudgetUsedUp("website", "wp@contoso.com", "30 messages in a minute", until)
    assert list(event.fields().items()) == [
        ("account", "website"),
        ("mailbox", "wp@contoso.com"),
        ("reason", "30 messages in a minute"),
        ("until", "2026-11-23T12:00:01+00:00"),
    ]


def test_a_refused_client_is_shown_with_what_is_known_of_its_message() -> None:
    event = events.Refused(ORIGIN, "RCPT", "550 5.7.1 No", sender="wp@contoso.com")
    assert event.fields() == {
        "client": "127.0.0.1",
        "listener": "127.0.0.1:2525",
        "stage": "RCPT",
        "reply": "550 5.7.1 No",
        "sender": "wp@contoso.com",
    }
