"""What every event does by itself."""

from datetime import UTC, datetime
from typing import Any

import pytest

from graphrelay.journal import events
from graphrelay.journal.event import Event, plain


class Moved(Event, level="warning"):
    """As those of the catalogue are written."""

    queue_id: str
    to: str = "alerts"


class MovedAgain(Moved, level="debug"):
    """With a field more."""

    times: int = 2


def test_fields_are_given_in_their_order_or_by_name_and_the_others_have_their_default() -> None:
    assert vars(Moved("A1")) == {"queue_id": "A1", "to": "alerts"}
    assert Moved("A1", "other") == Moved(to="other", queue_id="A1")
    assert list(vars(MovedAgain(times=3, queue_id="A1"))) == ["queue_id", "to", "times"]
    assert MovedAgain.level == "debug"


@pytest.mark.parametrize(
    ("values", "named"),
    [((), {}), (("A1", "b", "c"), {}), (("A1",), {"queue_id": "A1"}), (("A1",), {"of": "b"})],
)
def test_a_field_without_a_value_and_a_value_without_a_field_are_mistakes(
    values: tuple[Any, ...], named: dict[str, Any]
) -> None:
    with pytest.raises(TypeError):
        Moved(*values, **named)


def test_an_event_is_a_value() -> None:
    event = Moved("A1")
    with pytest.raises(AttributeError):
        event.to = "other"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        del event.to
    assert event == Moved("A1")
    assert event not in (Moved("A2"), MovedAgain("A1"))
    assert len({event, Moved("A1"), Moved("A2")}) == 2
    assert repr(event) == "Moved(queue_id='A1', to='alerts')"


def test_a_pattern_takes_its_fields_in_their_order() -> None:
    match events.Held("A1", "because"):
        case events.Held(queue_id, reason):
            assert (queue_id, reason) == ("A1", "because")
        case _:
            pytest.fail("it did not match")


def test_values_are_shown_as_a_line_can_hold_them() -> None:
    moment = datetime(2026, 11, 23, 12, 0, 1, 999, tzinfo=UTC)
    assert plain(moment) == "2026-11-23T12:00:01+00:00"
    assert plain(("a", "b")) == ["a", "b"]
    assert plain(None) is None
    assert plain(2.5) == 2.5
    assert plain(ValueError("no")) == "no"
