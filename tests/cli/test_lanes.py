"""`graphrelay lanes` against a relay that has used up a budget."""

import asyncio
import json
from email.message import EmailMessage
from pathlib import Path

from graphrelay.relay.deliver.request_limits import FILE
from tests.cli.test_commands import run
from tests.world import World, world

LIMITED = """
[delivery]
messages_per_minute = 3
recipients_per_day = 10000
"""


def send(here: World, count: int) -> None:
    with here.client() as client:
        for number in range(count):
            message = EmailMessage()
            message["From"], message["To"] = "wp@contoso.com", "anna@example.org"
            message["Subject"] = str(number)
            message.set_content("text")
            client.send_message(message)


async def test_it_shows_what_waits_since_when_and_the_budgets_with_their_pace(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, extra=LIMITED) as here:
        await asyncio.to_thread(send, here, 12)
        await here.event("budget-used-up")
        asked = ("--config", str(here.config), "lanes")
        shown = await asyncio.to_thread(run, *asked, "--json")
        (lane,) = [json.loads(line) for line in shown.stdout.splitlines()]
        table = (await asyncio.to_thread(run, *asked)).stdout
    assert lane["state"] == "budget"
    assert 0 < lane["waiting"] < 12
    assert lane["oldest"]
    messages, recipients = lane["budgets"]
    assert (messages["what"], messages["most"], messages["window"]) == ("messages", 3, 60)
    assert messages["used"] >= 3
    assert messages["exhausted_in"] == 0
    assert (recipients["most"], recipients["window"]) == (10_000, 86_400)
    sent = messages["used"]
    assert f"website/wp@contoso.com: {sent} of 3 messages in 60 s: used up" in table
    assert f"website/wp@contoso.com: {sent} of 10,000 recipients in 24 h" in table


async def test_it_shows_what_graph_refused_of_a_lane_within_a_day(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o700)
    learned = [["website", "wp@contoso.com", 4_000_000, "2999-01-01T00:00:00+00:00"]]
    (tmp_path / "state" / FILE).write_text(json.dumps(learned), encoding="utf-8")
    async with world(tmp_path) as here:
        asked = ("--config", str(here.config), "lanes")
        table = (await asyncio.to_thread(run, *asked)).stdout
        shown = await asyncio.to_thread(run, *asked, "--json")
    assert "at most 4,000,000 octets are tried until" in table
    assert json.loads(shown.stdout)["mime_limit"]["octets"] == 4_000_000
