"""A message that crashes every process that reads it is held, and all others are sent."""

import asyncio
from pathlib import Path

import pytest

from graphrelay.spool.errors import ENDED, MOST_STARTS
from tests.e2e.hanging import HANGS
from tests.e2e.kill_nine import relaying
from tests.e2e.test_hostile_text import ROOM, field, message, send

HANGING = field(b"From", b"x@example.test " + b'"\\' * (ROOM // 2))
OTHERS = 9


def other(number: int) -> bytes:
    """Every second one waits for the thread that reads large header sections."""
    head = b"From: wp@contoso.com\r\nTo: anna@example.org\r\nMessage-ID: <%d@contoso.com>\r\n"
    long = (b"X-Y: " + b"z" * 70 + b"\r\n") * (1_000 * (number % 2))
    return message(head % number + long + b"\r\ntext")


@pytest.mark.timeout(400)
async def test_what_the_watchdog_ended_three_processes_for_is_held_and_the_others_go(
    tmp_path: Path,
) -> None:
    """All of them wait in one lane, and are marked and read at the same time."""
    async with relaying(tmp_path) as (cloud, daemon, flood):
        await daemon.withdraw()
        await daemon.start()
        await flood.greeted()
        (hanging,) = await asyncio.to_thread(send, flood.port, HANGING)
        for number in range(OTHERS):
            await asyncio.to_thread(send, flood.port, other(number))
        await daemon.stop()
        await daemon.authorize()
        for start in range(1, MOST_STARTS + 1):
            await daemon.start("tests.e2e.hanging")
            await daemon.says(HANGS, times=start)
            await daemon.abort()
        await daemon.start("tests.e2e.hanging")
        await daemon.says(f" held {hanging} ")
        sent = {f"<{number}@contoso.com>" for number in range(OTHERS)}
        async with asyncio.timeout(150):
            while len(await daemon.queue()) > 1:  # noqa: ASYNC110 (another process sends)
                await asyncio.sleep(0.05)
        (left,) = await daemon.queue()
        assert (left["queue_id"], left["state"]) == (hanging, "held")
        assert left["reason"] == ENDED
        await daemon.stop()
        assert daemon.journal.count(" held ") == 1
        assert cloud.mailboxes.submissions.keys() == sent
