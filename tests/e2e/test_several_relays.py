"""Relays that share a queue: the failure of one costs seconds, and no mail."""

# ruff: noqa: ASYNC110 (other processes bring about what is waited for)

import asyncio
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.several_relays import OF_RELAYS, Cluster, Setting, cluster, run, verdict_of
from tests.tools import needs


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


async def test_a_relay_that_is_stopped_hands_its_lanes_over_and_gets_its_share_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A lease that lasts longer than the test is not what the others wait for."""
    setting = Setting(mailboxes=30, lease=300.0)
    async with cluster(tmp_path, setting) as all_:
        await _all_is_sent(all_)
        leaving = all_.members[0]
        theirs = await all_.mailboxes_of(leaving.host)
        assert theirs
        began = time.monotonic()
        stopping = asyncio.create_task(leaving.daemon.stop())
        while theirs - await all_.mailboxes_of_others(leaving.host):
            assert time.monotonic() - began < 30
            await asyncio.sleep(0.01)
        took = time.monotonic() - began
        await stopping
        with capsys.disabled():
            print(f"\n{len(theirs)} lanes were handed over {took:.2f} s after SIGTERM")
        await _all_is_sent(all_)
        await leaving.start()
        await leaving.flood.greeted()
        while not await all_.mailboxes_of(leaving.host):
            await asyncio.sleep(0.01)
        await _all_is_sent(all_)
        report = await verdict_of(all_, setting)
        assert report.verdict.acknowledged == 180
        assert not report.verdict.extra
        assert report.holds


async def _all_is_sent(all_: Cluster) -> None:
    """A few messages to each mailbox, of which none is left."""
    await all_.flood.send(60, 10)
    async with asyncio.timeout(60):
        while await all_.waiting():
            await asyncio.sleep(0.05)


@pytest.fixture
def wrong_clock(tmp_path: Path) -> Path:
    library, source = tmp_path / "clock.so", Path(__file__).with_name("clock.c")
    command = [str(needs("cc")), "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run([*command, "-o", str(library), str(source), "-ldl"], check=True)
    return library


async def test_hosts_whose_clocks_are_an_hour_apart_behave_as_one(
    tmp_path: Path, wrong_clock: Path
) -> None:
    def off_by(seconds: str) -> dict[str, str]:
        return {"LD_PRELOAD": str(wrong_clock), "CLOCK_OFF_BY": seconds}

    setting = Setting(mailboxes=12, environments=(off_by("1800"), {}, off_by("-1800")))
    began = time.time()
    async with cluster(tmp_path, setting) as all_:
        await _all_is_sent(all_)
        kept = await all_.ask(
            "SELECT received_at FROM graphrelay.messages UNION SELECT at FROM graphrelay.log"
            " UNION SELECT started_at FROM graphrelay.log UNION SELECT done_at FROM"
            " graphrelay.submissions"
        )
        for member in all_.members:
            assert await all_.mailboxes_of(member.host)
        waiting = asyncio.create_task(all_.trouble(all_.members[0], "killed"))
        await all_.flood.send(60, 10)
        await waiting
        report = await verdict_of(all_, setting)
    times = [at / 1e6 for (at,) in kept]
    assert began - 5 < min(times) <= max(times) < time.time() + 5
    assert [member.daemon.journal.count("clock-set") for member in all_.members] == [2, 0, 1]
    assert report.verdict.acknowledged == 120
    assert report.holds
