"""A minute of the soak test, and its detection of growth."""

from pathlib import Path

import pytest

from tests.e2e.soak import Figures, Life, run


async def test_under_faults_and_restarts_nothing_grows_and_nothing_is_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lives, verdict = await run(seconds=60, rate=30, seed=1, folder=tmp_path)
    with capsys.disabled():
        print("", *lives, verdict, sep="\nsoak: ")
    assert verdict.holds
    assert verdict.acknowledged > 100
    assert [life.grown for life in lives] == [[], [], []]


def life(*memory: float) -> Life:
    return Life(tuple(Figures(megabytes, 20, 5, 10, 0) for megabytes in memory))


def test_what_warms_up_and_then_stays_is_flat() -> None:
    assert life(40, 60, 80, 81, 79, 82, 80, 81).grown == []


def test_what_grows_on_is_not() -> None:
    assert life(*range(50, 450, 5)).grown == ["memory"]
