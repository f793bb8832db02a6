"""A message that Graph accepted bounces, and the log of the running relay says so."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from graphrelay.relay.deliver.ndr_poll import LOOK_EVERY
from graphrelay.sandbox.graph.faults import NonDelivery
from tests.cli.test_commands import run
from tests.cli.test_lanes import send
from tests.clock import FakeClock
from tests.world import world


async def test_the_running_relay_finds_the_report_and_the_log_names_the_reason(
    tmp_path: Path,
) -> None:
    clock = FakeClock(datetime.now(UTC))
    roles = ("Mail.Send", "Mail.Read")
    async with world(tmp_path, account="bounces = true", roles=roles, clock=clock) as here:
        here.cloud.faults.on(NonDelivery(recipient="anna@example.org"))
        await asyncio.to_thread(send, here, 1)
        await here.event("relayed")
        await clock.advance(LOOK_EVERY)
        told = await here.event("bounced")
        asked = ("--config", str(here.config), "log", "--outcome", "bounced")
        shown = await asyncio.to_thread(run, *asked)
    assert told.fields["recipient"] == "anna@example.org"
    assert told.queue_id in shown.stdout
    assert "550 5.1.10 RESOLVER.ADR.RecipientNotFound" in shown.stdout
