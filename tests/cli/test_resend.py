"""`graphrelay resend`, and the content of what is kept."""

import asyncio
from pathlib import Path

from tests.cli.test_commands import run
from tests.cli.test_lanes import send
from tests.world import world

KEEPS = '\n[log]\nkeep_messages = "1d"\n'


async def test_a_message_is_shown_and_sent_again(tmp_path: Path) -> None:
    async with world(tmp_path, extra=KEEPS) as here:
        await asyncio.to_thread(send, here, 1)
        queue_id = (await here.event("relayed")).queue_id
        relay = ("--config", str(here.config))
        shown = await asyncio.to_thread(run, *relay, "queue", "content", queue_id)
        assert "Subject: " in shown.stdout
        whole = await asyncio.to_thread(run, *relay, "queue", "content", queue_id, "--file", "0")
        assert "Message-ID: " in whole.stdout
        missing = await asyncio.to_thread(run, *relay, "queue", "content", queue_id, "--file", "7")
        assert (missing.returncode, missing.stdout) == (1, "")
        assert "has no file 7" in missing.stderr
        again = await asyncio.to_thread(run, *relay, "resend", queue_id, "--reason", "lost")
        assert again.stdout.startswith(f"{queue_id} is sent again as ")
        await here.cloud.mailboxes.arrived(2)


async def test_without_the_setting_the_remedy_is_named(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await asyncio.to_thread(send, here, 1)
        queue_id = (await here.event("relayed")).queue_id
        shown = await asyncio.to_thread(run, "--config", str(here.config), "resend", queue_id)
    assert shown.returncode == 1
    assert "log.keep_messages" in shown.stderr
