"""Relays that share a queue: the failure of one costs seconds, and no mail."""

from pathlib import Path

import pytest

from tests.e2e.several_relays import OF_RELAYS, Setting, run


@pytest.mark.parametrize(
    "setting",
    [
        Setting(mailboxes=12, faults=True, troubles=(*OF_RELAYS, "database killed")),
        Setting(mailboxes=12, exact_once=True),
    ],
    ids=["faults", "exact once"],
)
async def test_nothing_is_lost_when_a_relay_is_killed_frozen_or_cut_off_or_the_database_is_killed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], setting: Setting
) -> None:
    report = await run(len(setting.troubles), seed=1, folder=tmp_path, setting=setting)
    with capsys.disabled():
        print(f"\nseveral relays: {report}")
    assert report.verdict.acknowledged
    assert report.holds
