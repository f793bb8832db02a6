"""`graphrelay hosts`, and a relay that shares its queue."""

import asyncio
import json
from email.message import EmailMessage
from pathlib import Path

from graphrelay import __version__
from tests.cli.test_commands import configured, run
from tests.world import World, world


def send(here: World) -> None:
    message = EmailMessage()
    message["From"], message["To"] = "wp@contoso.com", "anna@example.org"
    message.set_content("text")
    with here.client() as client:
        client.send_message(message)


async def test_the_relays_of_a_shared_queue_are_listed_with_their_lanes(
    tmp_path: Path, database: str
) -> None:
    shared = f'\n[spool]\nurl = "{database}"\n'
    async with world(tmp_path, extra=shared) as here:
        await asyncio.to_thread(send, here)
        await here.event("relayed")
        shown = await asyncio.to_thread(run, "--config", str(here.config), "hosts", "--json")
        table = await asyncio.to_thread(run, "--config", str(here.config), "hosts")
    row = json.loads(shown.stdout)
    assert (row["version"], row["lanes"], row["with_mail"]) == (__version__, 1, 0)
    assert row["expires_in"] > 0
    assert "running" in table.stdout
    told = [event.event for event in here.entries if event.event.startswith("spool")]
    assert told == ["spool-shared", "spool-at-risk", "spool-at-risk"]


def test_a_queue_that_is_not_shared_has_no_list(tmp_path: Path) -> None:
    shown = run("--config", configured(tmp_path), "hosts")
    assert "[spool] url is not set" in shown.stdout
