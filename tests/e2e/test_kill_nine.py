"""kill -9 while mail is received, and the verdict on the result."""

from pathlib import Path

import pytest

from tests.e2e.flood import Flood
from tests.e2e.kill_nine import IN_DOUBT, judge, run


@pytest.mark.parametrize(("rounds", "faults"), [(12, False), (8, True)])
async def test_nothing_acknowledged_is_lost_and_doubles_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rounds: int, faults: bool
) -> None:
    verdict = await run(rounds=rounds, messages=200, seed=1, folder=tmp_path, faults=faults)
    with capsys.disabled():
        print(f"\nkill -9{', with faults in the cloud' if faults else ''}: {verdict}")
    assert verdict.acknowledged == rounds * 200
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


def test_doubles_are_fine_up_to_what_was_in_doubt(flood: Flood) -> None:
    assert judge(flood, {"<a>": 1 + IN_DOUBT, "<b>": 1}, kills=1).holds
    assert not judge(flood, {"<a>": 1 + IN_DOUBT, "<b>": 2}, kills=1).holds


def test_a_double_for_each_answer_that_was_withheld_is_fine(flood: Flood) -> None:
    assert judge(flood, {"<a>": 3, "<b>": 1}, kills=0, withheld=2).holds
    assert not judge(flood, {"<a>": 3, "<b>": 1}, kills=0, withheld=1).holds


def test_one_that_nobody_sent_is_no_mail_of_ours(flood: Flood) -> None:
    assert not judge(flood, {"<a>": 1, "<b>": 1, "<x>": 1}, kills=1).holds
