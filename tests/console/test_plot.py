"""Plots: a bar for each interval, in proportion, that says in words what it shows."""

import xml.etree.ElementTree as ET
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone

from graphrelay.console.plot import HEIGHT, bars, waits
from graphrelay.console.tallies import Interval

START = datetime(2026, 11, 23, tzinfo=UTC)


def intervals(*counts: dict[str, int]) -> list[Interval]:
    return [
        Interval(START + timedelta(hours=number), Counter(one)) for number, one in enumerate(counts)
    ]


def drawn(*counts: dict[str, int]) -> ET.Element:
    return ET.fromstring(bars(intervals(*counts), "The <last> day", "%H:00"))


def test_a_bar_is_as_high_as_its_share() -> None:
    rects = drawn({"relayed": 100}, {"relayed": 50, "failed": 50}, {}).findall(".//rect")
    heights = [(one.get("class"), float(one.get("height", 0))) for one in rects]
    whole = HEIGHT - 4
    assert heights == [("relayed", whole), ("failed", whole / 2), ("relayed", whole / 2)]


def test_one_of_a_million_is_still_seen() -> None:
    rects = drawn({"relayed": 1_000_000}, {"failed": 1}).findall(".//rect")
    assert float(rects[1].get("height", 0)) == 1


def test_it_says_in_words_what_it_shows() -> None:
    plot = drawn({"relayed": 1200, "failed": 1}, {})
    assert plot.get("aria-label") == "The <last> day: 1,200 relayed, 0 delayed, 1 failed"
    titles = [one.text for one in plot.findall(".//title")]
    assert titles == ["00:00 UTC: 1,200 relayed, 0 delayed, 1 failed"]


def test_waits_are_averages_and_an_hour_is_marked_for_the_script() -> None:
    one, two = intervals({"relayed": 4}, {"relayed": 1})
    one.waited, two.waited = 40.0, 20.0
    plot = ET.fromstring(waits([one, two], "Waits", "%H:00"))
    heights = [float(rect.get("height", 0)) for rect in plot.findall(".//rect")]
    assert heights == [(HEIGHT - 4) / 2, HEIGHT - 4]
    assert plot.get("aria-label") == "Waits: 20 s at most"
    titles = [(title.get("data-hour"), title.text) for title in plot.findall(".//title")]
    assert titles[0] == (START.isoformat(), "00:00 UTC: 10 s")


def test_a_day_names_its_zone() -> None:
    start = datetime(2026, 11, 23, tzinfo=timezone(timedelta(hours=1), "CET"))
    day = Interval(start, Counter({"relayed": 1}))
    [title] = ET.fromstring(bars([day], "Days", "%d %b")).findall(".//title")
    assert title.text == "23 Nov CET: 1 relayed, 0 delayed, 0 failed"
    assert title.get("data-hour") is None, "the browser would show another day"


def test_nothing_at_all_is_an_empty_plot() -> None:
    assert drawn().findall(".//rect") == []
    assert drawn({}, {}).findall(".//rect") == []
