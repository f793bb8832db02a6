"""A message once more, as it was."""

import asyncio
from pathlib import Path

import pytest

from graphrelay.control.verb import VerbError
from graphrelay.sandbox.faults import Answer
from tests.control.verbs.test_live import asked
from tests.world import World, world

KEEPS = '\n[log]\nkeep_messages = "1d"\n'
RECEIVED = "Received: from web by mx; Mon, 23 Nov 2026 12:00:00 +0000\r\n"
TO = ["alice@contoso.com", "Bert@example.org"]


def submit(here: World, head: str = "") -> None:
    with here.client() as client:
        text = f"{head}From: wp@contoso.com\r\nSubject: Order\r\nTo: {TO[0]}\r\n\r\nHello.\r\n"
        client.sendmail("wp@contoso.com", TO, text)


async def sent(here: World, head: str = "") -> str:
    await asyncio.to_thread(submit, here, head)
    return str((await here.event("relayed")).queue_id)


async def resent(here: World, queue_id: str) -> str:
    before = len(here.events("relayed"))
    [event] = await asked(here, "resend", queue_id=queue_id, reason="lost by otto")
    assert event["recipients"] == TO
    await here.until(lambda: len(here.events("relayed")) > before)
    return str(event["queue_id"])


async def test_the_same_octets_go_to_the_same_recipients_under_a_new_id(tmp_path: Path) -> None:
    async with world(tmp_path, extra=KEEPS) as here:
        first = await sent(here)
        second = await resent(here, first.lower())
        assert second != first
        one, again = here.cloud.mailboxes.submitted
        assert one.submitted.sha256 == again.submitted.sha256
        assert one.message_id == again.message_id
        [shown] = await asked(here, "queue-show", queue_id=first)
        last = shown["parts"][0]["history"][-1]
        assert (last["outcome"], last["reason"]) == ("resent", f"as {second}: lost by otto")
        assert here.events("resent")[0].fields["of"] == first


async def test_mail_that_came_by_a_server_can_be_sent_again_and_again(tmp_path: Path) -> None:
    """It is no loop."""
    async with world(tmp_path, extra=KEEPS) as here:
        latest = await sent(here, RECEIVED)
        for _ in range(4):
            latest = await resent(here, latest)
        assert len(here.cloud.mailboxes.submitted) == 5


async def test_what_waits_is_not_sent_twice(tmp_path: Path) -> None:
    async with world(tmp_path, extra=KEEPS) as here:
        here.cloud.faults.on(Answer(status=503, part="graph"))
        await asyncio.to_thread(submit, here)
        queue_id = (await here.event("delayed")).queue_id
        with pytest.raises(VerbError, match="still in the queue"):
            await asked(here, "resend", queue_id=queue_id)


async def test_what_is_not_kept_cannot_be_sent_again(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        queue_id = await sent(here)
        with pytest.raises(VerbError, match=r"log\.keep_messages"):
            await asked(here, "resend", queue_id=queue_id)
        with pytest.raises(VerbError, match="no message"):
            await asked(here, "resend", queue_id="0000000000")


async def test_a_part_alone_can_be_sent_again(tmp_path: Path) -> None:
    """Two routes make two parts."""
    routes = """
[[routes]]
recipient = ["*@example.org"]
account = "website"
[[routes]]
account = "website"
mailbox = "info@contoso.com"
"""
    async with world(tmp_path, extra=KEEPS + routes) as here:
        queue_id = await sent(here)
        await here.until(lambda: len(here.events("relayed")) == 2)
        [shown] = await asked(here, "queue-show", queue_id=queue_id)
        part = shown["parts"][1]
        [event] = await asked(here, "resend", queue_id=part["queue_id"])
        message = queue_id.partition("/")[0]
        with pytest.raises(VerbError, match=f"{message} has no part 7; it has 2"):
            await asked(here, "resend", queue_id=f"{message}/7")
        assert event["recipients"] == part["recipients"]
        assert len(event["recipients"]) == 1
