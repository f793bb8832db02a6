"""Alerts of a running relay: from the cause to the webhook, and `alert-test`."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from graphrelay.alerts.manager import TICK
from graphrelay.alerts.watch import CALM, GATHER
from graphrelay.cli.demo import authorize
from graphrelay.config import load
from graphrelay.control.verb import Output, VerbError
from graphrelay.daemon.relay import verbs_without_daemon
from graphrelay.daemon.signals import _listening
from graphrelay.daemon.wiring import control_socket, wired
from tests.alerts.receiver import receiving
from tests.cli.test_commands import configured
from tests.clock import FakeClock
from tests.control.socket.asking import converse
from tests.world import World, world


async def nobody(what: str) -> str:
    raise AssertionError(f"asked for {what}")


def alerts(url: str, more: str = "") -> str:
    return f'\n[alerts]\n{more}\n[[alerts.webhooks]]\nurl = "{url}"\n'


async def asked(here: World, arguments: Mapping[str, Any]) -> list[Output]:
    path = control_socket(load(here.config))
    return [event async for event in converse(path, "alert-test", arguments, nobody)]


def send(here: World) -> None:
    with here.client() as client:
        client.sendmail("wp@contoso.com", ["a@contoso.com"], "Subject: Payroll\n\nGeheim\n")


async def test_a_lost_authorization_reaches_the_webhook_and_so_does_its_all_clear(
    tmp_path: Path,
) -> None:
    clock = FakeClock()
    async with (
        receiving() as receiver,
        world(
            tmp_path,
            scenario="user",
            authorized=False,
            extra=alerts(receiver.url),
            clock=clock,
        ) as here,
    ):
        await asyncio.to_thread(send, here)
        await here.event("paused")
        await clock.advance(GATHER + TICK)
        await here.event("alert-sent")
        raised = receiver.posted[0]
        assert (raised["kind"], raised["state"]) == ("authorization", "raised")
        assert "graphrelay authorize website" in raised["text"]
        assert "Payroll" not in str(raised)
        assert "Geheim" not in str(raised)
        assert _listening(here.relay).endswith("; ALERT: authorization website")
        assert (await authorize(here.cloud, here.relay))["kind"] == "authorized"
        await here.cloud.mailboxes.arrived(1)
        await here.event("relayed")
        await clock.advance(CALM + TICK)
        await here.until(lambda: len(here.events("alert-sent")) == 2)
        assert receiver.posted[1]["state"] == "cleared"
        assert "ALERT" not in _listening(here.relay)


async def test_a_test_alert_gives_the_result_of_each_channel(tmp_path: Path) -> None:
    async with receiving() as receiver:
        bad = 'command = ["/bin/false"]'
        async with world(tmp_path, extra=alerts(receiver.url, bad)) as here:
            events = await asked(here, {})
    assert [(event["channel"], event["sent"]) for event in events] == [
        ("generic webhook at 127.0.0.1", True),
        ("command false", False),
    ]
    assert "ended with status 1" in events[1]["reason"]
    assert receiver.posted[0]["state"] == "test"


async def test_a_test_alert_needs_no_daemon(tmp_path: Path) -> None:
    async with receiving() as receiver:
        config = configured(tmp_path)
        Path(config).write_text(Path(config).read_text() + alerts(receiver.url))
        async with verbs_without_daemon(wired(load(Path(config)))) as verbs:
            events = [event async for event in verbs["alert-test"]({}, nobody)]
    assert [event["sent"] for event in events] == [True]


async def test_a_test_alert_without_channels_says_so(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        with pytest.raises(VerbError, match=r"no alert would reach anybody.*alerts\.webhooks"):
            await asked(here, {})


async def test_a_reload_takes_over_other_channels(tmp_path: Path) -> None:
    async with receiving() as receiver, world(tmp_path) as here:
        here.config.write_text(here.config.read_text() + alerts(receiver.url))
        await here.relay.reload(wired(load(here.config)))
        assert [event["sent"] for event in await asked(here, {})] == [True]
