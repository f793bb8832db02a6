"""kill -9 while mail comes in, and the judge of it."""

from pathlib import Path

import pytest

from tests.e2e.flood import Flood
from tests.e2e.kill_nine import IN_FLIGHT, judge, run


async def test_nothing_acknowledged_is_lost_and_doubles_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verdict = await run(rounds=20, messages=200, seed=1, folder=tmp_path)
    with capsys.disabled():
        print(f"\nkill -9: {verdict}")
    assert verdict.acknowledged == 20 * 200
    assert verdict.holds


@pytest.fixture
def flood() -> Flood:
    flood = Flood("127.0.0.1", 0, sender="", recipient="", mark="")
    flood.told.acknowledged.update({"<a>", "<b>"})
    flood.told.unanswered.add("<c>")
    return flood


def test_all_there_once_is_fine(flood: Flood) -> None:
    assert judge(flood, {"<a>": 1, "<b>": 1, "<c>": 1}, kills=1).holds


def test_one_that_is_missing_is_lost(flood: Flood) -> None:
    verdict = judge(flood, {"<a>": 1, "<c>": 1}, kills=1)
    assert (verdict.lost, verdict.holds) == (1, False)


def test_doubles_are_fine_up_to_what_was_in_flight(flood: Flood) -> None:
    assert judge(flood, {"<a>": 1 + IN_FLIGHT, "<b>": 1}, kills=1).holds
    assert not judge(flood, {"<a>": 1 + IN_FLIGHT, "<b>": 2}, kills=1).holds


def test_one_that_nobody_sent_is_no_mail_of_ours(flood: Flood) -> None:
    assert not judge(flood, {"<a>": 1, "<b>": 1, "<x>": 1}, kills=1).holds
