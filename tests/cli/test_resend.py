"""`graphrelay resend`, and the content of what is kept."""

import asyncio
import os
import subprocess
import sys
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


async def test_nothing_of_a_message_controls_a_terminal(tmp_path: Path) -> None:
    hostile = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n\x1b[2J\r\n--b\r\n"
    hostile += b"Content-Type: text/\x1b[8m\xc2\x9b\r\nContent-Disposition: attachment\r\n\r\nx\r\n"

    def submit() -> None:
        with here.client() as client:
            head = b"From: wp@contoso.com\r\nSubject: \x1b[31m\r\nMIME-Version: 1.0\r\n"
            client.sendmail("wp@contoso.com", ["alice@contoso.com"], head + hostile + b"--b--\r\n")

    async with world(tmp_path, extra=KEEPS) as here:
        await asyncio.to_thread(submit)
        queue_id = (await here.event("relayed")).queue_id
        asked = ("--config", str(here.config), "queue", "content", queue_id)
        shown = await asyncio.to_thread(run, *asked)
    assert "file 1: " in shown.stdout
    assert all(line.isprintable() for line in shown.stdout.splitlines())


def test_the_octets_of_a_file_are_not_written_to_a_terminal() -> None:
    ours, terminal = os.openpty()
    try:
        asked = (sys.executable, "-m", "graphrelay", "queue", "content", "X", "--file", "1")
        done = subprocess.run(
            asked, stdout=terminal, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    finally:
        os.close(ours)
        os.close(terminal)
    assert done.returncode == 2
    assert "queue content X --file 1 >FILE" in done.stderr


async def test_without_the_setting_the_remedy_is_named(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await asyncio.to_thread(send, here, 1)
        queue_id = (await here.event("relayed")).queue_id
        shown = await asyncio.to_thread(run, "--config", str(here.config), "resend", queue_id)
    assert shown.returncode == 1
    assert "log.keep_messages" in shown.stderr
