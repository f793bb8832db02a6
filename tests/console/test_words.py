"""Values in words."""

import pytest

from graphrelay.console import words


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "–"),
        (0.25, "0.25 s"),
        (90, "90 s"),
        (180, "3 min"),
        (7200, "2 h"),
        (400_000, "4 days"),
    ],
)
def test_a_span_has_one_unit(seconds: float | None, said: str) -> None:
    assert words.span(seconds) == said


def test_a_moment_is_in_utc_until_the_browser_knows_better() -> None:
    shown = words.moment("2026-11-23T12:00:00+00:00")
    assert shown == ('<time datetime="2026-11-23T12:00:00+00:00">2026-11-23 12:00:00 UTC</time>')
    assert words.moment(None) == "–"


def test_what_a_stranger_wrote_keeps_its_own_direction_and_is_no_markup() -> None:
    assert words.cell("<b>שלום") == "<bdi>&lt;b&gt;שלום</bdi>"


def test_of_many_people_the_first_are_named() -> None:
    assert words.people(["a", "<b>"]) == "<bdi>a</bdi>, <bdi>&lt;b&gt;</bdi>"
    assert words.people(list("abcde")).endswith("and 2 more")


def test_sizes_and_numbers() -> None:
    assert (words.size(999), words.size(2_300), words.size(5_000_000_000)) == (
        "999 B",
        "2.3 kB",
        "5.0 GB",
    )
    assert words.number(1234567) == "1,234,567"


def test_a_state_has_a_colour_and_is_no_markup() -> None:
    assert [words.label(state) for state in ("relayed", "failed", "<b>")] == [
        '<span class="label good">relayed</span>',
        '<span class="label bad">failed</span>',
        '<span class="label between">&lt;b&gt;</span>',
    ]
    assert words.scenario("user") == "One signed-in user"
    assert words.scenario("odd") == "odd"
