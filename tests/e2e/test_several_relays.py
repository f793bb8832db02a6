"""Relays that share a queue: the failure of one costs seconds, and no mail."""

from pathlib import Path

import pytest

from tests.e2e.several_relays import run


async def test_nothing_is_lost_when_a_relay_is_killed_frozen_or_cut_off_or_the_database_is_killed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = await run(rounds=4, messages=120, mailboxes=12, seed=1, folder=tmp_path)
    with capsys.disabled():
        print(f"\nseveral relays: {report}")
    assert report.verdict.acknowledged == 4 * 120
    assert report.holds
