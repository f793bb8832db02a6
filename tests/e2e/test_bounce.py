"""A message that Graph took comes back, and the log of the running relay says so."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from graphrelay.sandbox.graph.faults import NonDelivery
from tests.cli.test_commands import run
from tests.cli.test_lanes import send
from tests.world import world


async def test_the_running_relay_finds_the_report_and_the_log_names_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphrelay.relay.deliver.ndr_poll.LOOK_EVERY", timedelta(milliseconds=50))
    roles = ("Mail.Send", "Mail.Read")
    async with world(tmp_path, account="bounces = true", roles=roles) as here:
        here.cloud.faults.on(NonDelivery(recipient="anna@example.org"))
        await asyncio.to_thread(send, here, 1)
        told = await here.event("bounced")
        asked = ("--config", str(here.config), "log", "--outcome", "bounced")
        shown = await asyncio.to_thread(run, *asked)
    assert told.fields["recipient"] == "anna@example.org"
    assert told.queue_id in shown.stdout
    assert "550 5.1.10 RESOLVER.ADR.RecipientNotFound" in shown.stdout
