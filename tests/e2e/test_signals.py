"""A real daemon that receives the signal to stop or to reload, with mail in flight."""

import asyncio
import os
import re
import signal
import smtplib
from pathlib import Path

import pytest

from graphrelay.sandbox.faults import Delay, Stall
from tests.e2e.kill_nine import emptied, judge, relaying

SEND = "/v1.0/users/"
WITH_ATTEMPTS = """
[log]
level = "debug"
"""


async def test_sigterm_ends_what_is_in_flight_and_leaves_the_rest_on_the_disk(
    tmp_path: Path,
) -> None:
    async with relaying(tmp_path, WITH_ATTEMPTS) as (cloud, daemon, flood):
        await daemon.authorize()
        await daemon.start()
        await flood.greeted()
        cloud.faults.on(Delay(seconds=1, path=SEND))
        await flood.send(20, 4)
        await daemon.says(" attempt ")
        await daemon.stop()
        sent = len(cloud.mailboxes.submissions)
        assert 0 < sent < 20
        assert " uncertain " not in daemon.journal
        with pytest.raises(ConnectionRefusedError):
            await flood.connect()
        cloud.faults.clear()
        await daemon.start()
        await flood.greeted()
        await emptied(daemon, flood, cloud.mailboxes.submissions)
        await daemon.stop()
        verdict = judge(flood, cloud.mailboxes.submissions, kills=0)
        assert (verdict.lost, verdict.extra) == (0, 0)


async def test_sigterm_waits_for_what_is_in_flight_no_longer_than_it_may(tmp_path: Path) -> None:
    async with relaying(tmp_path, extra='shutdown_grace = "1s"\n' + WITH_ATTEMPTS) as (
        cloud,
        daemon,
        flood,
    ):
        await daemon.authorize()
        await daemon.start()
        await flood.greeted()
        cloud.faults.on(Stall(path=SEND))
        await flood.send(8, 4)
        await daemon.says(" attempt ")
        async with asyncio.timeout(20):
            await daemon.stop()
        cloud.faults.clear()
        await daemon.start()
        await flood.greeted()
        await emptied(daemon, flood, cloud.mailboxes.submissions)
        await daemon.stop()
        assert judge(flood, cloud.mailboxes.submissions, kills=1).holds


async def test_sighup_takes_over_a_good_configuration_and_refuses_a_bad_one(
    tmp_path: Path,
) -> None:
    async with relaying(tmp_path) as (_, daemon, flood):
        await daemon.authorize()
        await daemon.start()
        await flood.greeted()
        config = tmp_path / "config.toml"
        text = config.read_text("utf-8")
        (port,) = re.findall(r'address = "127.0.0.1:(\d+)"', text)
        inside = await asyncio.to_thread(smtplib.SMTP, "127.0.0.1", int(port), timeout=30)
        await asyncio.to_thread(inside.ehlo)

        config.write_text(text + "\n[smtp]\nmax_recipients = 0\n", "utf-8")
        os.kill(daemon.pid, signal.SIGHUP)
        await daemon.says("reload-refused")
        assert "max_recipients" in daemon.journal
        assert (await asyncio.to_thread(inside.noop))[0] == 250

        config.write_text(text + "\n[smtp]\nmax_recipients = 1\n", "utf-8")
        os.kill(daemon.pid, signal.SIGHUP)
        await daemon.says(" reloaded ")
        assert (await asyncio.to_thread(inside.noop))[0] == 250
        await asyncio.to_thread(inside.quit)
        newcomer = await asyncio.to_thread(smtplib.SMTP, "127.0.0.1", int(port), timeout=30)

        def taken() -> list[int]:
            newcomer.ehlo()
            newcomer.mail("wp@contoso.com")
            return [newcomer.rcpt(f"{name}@example.org")[0] for name in "ab"]

        assert (await asyncio.to_thread(taken))[0] == 250
        assert (await asyncio.to_thread(taken))[1] >= 400
        await asyncio.to_thread(newcomer.quit)
        await daemon.stop()
