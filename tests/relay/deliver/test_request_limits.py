"""The size up to which each lane tries MIME requests."""

from datetime import timedelta
from pathlib import Path

import pytest

from graphrelay.graph.base64stream import REQUEST
from graphrelay.journal import Entry, Journal
from graphrelay.relay.deliver.request_limits import FILE, RequestLimits
from tests.clock import FakeClock
from tests.relay.cloud import INFO, WP

LARGEST = 50_000_000


class Lives:
    """One process after another, on the same disk."""

    def __init__(self, directory: Path) -> None:
        self.clock = FakeClock()
        self.entries: list[Entry] = []
        self._directory = directory

    def limits(self, fixed: int | None = None) -> RequestLimits:
        journal = Journal(self.clock, self.entries.append)
        return RequestLimits(
            self.clock, journal, fixed=fixed, largest=LARGEST, directory=self._directory
        )


@pytest.fixture
def lives(tmp_path: Path) -> Lives:
    return Lives(tmp_path)


async def test_a_limit_that_is_given_holds_whatever_graph_says(lives: Lives) -> None:
    limits = lives.limits(fixed=9_000_000)
    await limits.refused(WP, 8_000_000)
    assert limits.mime(WP, large_messages=True) == limits.request == 9_000_000
    assert lives.entries == []


def test_only_an_account_with_another_way_tries_more_than_is_documented(lives: Lives) -> None:
    limits = lives.limits()
    assert limits.mime(WP, large_messages=False) == REQUEST
    assert limits.mime(WP, large_messages=True) == LARGEST
    assert limits.request == REQUEST


async def test_a_refusal_is_remembered_for_a_day_by_that_lane_and_the_next_process(
    lives: Lives,
) -> None:
    await lives.limits().refused(WP, 8_000_000)
    for limits in (lives.limits(), lives.limits()):
        assert limits.mime(WP, large_messages=True) == REQUEST
        assert limits.mime(INFO, large_messages=True) == LARGEST
    await lives.clock.advance(timedelta(days=1))
    assert lives.limits().mime(WP, large_messages=True) == LARGEST
    assert [entry.event for entry in lives.entries] == ["request-limit-learned"]


async def test_what_graph_took_is_still_tried_after_a_refusal_of_more(lives: Lives) -> None:
    limits = lives.limits()
    limits.taken(WP, 6_000_000)
    await limits.refused(WP, 30_000_000)
    assert limits.mime(WP, large_messages=True) == 6_000_000
    await limits.refused(WP, 6_000_000)
    assert limits.mime(WP, large_messages=True) == REQUEST


async def test_a_refusal_of_what_is_documented_teaches_nothing(lives: Lives) -> None:
    limits = lives.limits()
    await limits.refused(WP, REQUEST)
    assert limits.mime(WP, large_messages=True) == LARGEST


@pytest.mark.parametrize("octets", [b"", b"7", b"\xff", b"[1]", b'[["a", "b", "x", "y"]]'])
async def test_a_file_that_cannot_be_read_is_reported_and_written_anew(
    lives: Lives, tmp_path: Path, octets: bytes
) -> None:
    (tmp_path / FILE).write_bytes(octets)
    limits = lives.limits()
    assert [entry.event for entry in lives.entries] == ["request-limit-not-kept"]
    await limits.refused(WP, 8_000_000)
    assert lives.limits().mime(WP, large_messages=True) == REQUEST


async def test_a_disk_that_takes_nothing_is_reported_and_the_limit_holds(
    lives: Lives, tmp_path: Path
) -> None:
    limits = lives.limits()
    tmp_path.rename(tmp_path.with_name("gone"))
    await limits.refused(WP, 8_000_000)
    assert limits.mime(WP, large_messages=True) == REQUEST
    assert "request-limit-not-kept" in [entry.event for entry in lives.entries]


@pytest.mark.parametrize(
    ("taken", "refused", "most", "said"),
    [
        (3_900_000, 4_100_000, REQUEST, "auto uses 4,000,000 octets for 30 days"),
        (10_000_000, 30_000_000, 10_000_000, "auto uses 10,000,000 octets for 30 days"),
        (48_000_000, 0, LARGEST, "auto tries up to 50,000,000 octets"),
        (0, 3_900_000, REQUEST, "nothing is remembered"),
    ],
)
async def test_what_was_measured_replaces_what_was_learned(
    lives: Lives, taken: int, refused: int, most: int, said: str
) -> None:
    limits = lives.limits()
    await limits.refused(WP, 5_000_000)
    assert await limits.measured(WP, taken, refused) == said
    for each in (limits, lives.limits()):
        assert each.mime(WP, large_messages=True) == most


async def test_what_was_measured_is_remembered_for_thirty_days(lives: Lives) -> None:
    limits = lives.limits()
    await limits.measured(WP, 10_000_000, 30_000_000)
    await lives.clock.advance(timedelta(days=29))
    assert lives.limits().mime(WP, large_messages=True) == 10_000_000
    await lives.clock.advance(timedelta(days=1))
    assert lives.limits().mime(WP, large_messages=True) == LARGEST


async def test_a_limit_that_is_given_is_not_replaced_by_what_was_measured(lives: Lives) -> None:
    limits = lives.limits(fixed=9_000_000)
    assert await limits.measured(WP, 10_000_000, 0) == "max_mime_request = 9,000,000 decides"
    assert limits.mime(WP, large_messages=True) == 9_000_000
