"""The text of an alert."""

from datetime import timedelta

from graphrelay.alerts.alert import State, in_words, subjects
from tests.alerts.story import an_alert


def test_a_sentence_names_the_machine_what_is_wrong_and_what_to_do() -> None:
    assert an_alert("it is broken").sentence == "graphrelay on mail1: it is broken. Wait."
    assert an_alert("it works", State.CLEARED).sentence.startswith(
        "graphrelay on mail1: all clear: it works."
    )
    again = an_alert("it is broken", State.REPEATED).sentence
    assert again.startswith("graphrelay on mail1: still: it is broken (since 2026-11-23T12:00:00")


def test_durations_have_two_units() -> None:
    assert in_words(timedelta(days=3, hours=4, minutes=5)) == "3 days 4 hours"
    assert in_words(timedelta(hours=1, minutes=1)) == "1 hour 1 minute"
    assert in_words(timedelta(seconds=40)) == "40 seconds"
    assert in_words(timedelta(seconds=-1)) == "0 seconds"


def test_a_line_with_little_room_names_kinds_and_subjects() -> None:
    causes = an_alert("x").causes * 5
    assert subjects(causes) == "paused a/b, a/b, a/b and 2 more"
    assert subjects(()) == ""
