"""The reports that senders asked for (RFC 3461), from RCPT to the report."""

import asyncio
import re
from datetime import timedelta
from pathlib import Path

from graphrelay.sandbox.graph.faults import Refuse, UnknownRecipient
from graphrelay.sandbox.mailbox_items import Mail
from tests.clock import FakeClock
from tests.world import World, world

GOOD, BAD = "alice@contoso.com", "nobody@example.org"
SENDER = "wp@contoso.com"


def send(here: World, number: int, recipient: str, mail: list[str], rcpt: list[str]) -> None:
    text = f"From: {SENDER}\r\nTo: {recipient}\r\nSubject: {number}\r\n\r\nsecret words\r\n"
    with here.client() as client:
        client.ehlo()
        assert client.has_extn("dsn")
        client.sendmail(SENDER, [recipient], text, mail, rcpt)


async def reports(here: World, arrived: int, failed: int) -> list[Mail]:
    """What the sender got when so many messages have arrived, reports among them, and so many
    have failed."""
    await here.cloud.mailboxes.arrived(arrived)
    await here.until(
        lambda: (len(here.events("failed")), len(here.events("relayed"))) == (failed, arrived)
    )
    return here.cloud.mailboxes.received_by(SENDER)


async def test_never_means_never_and_failure_brings_back_what_was_asked_for(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.cloud.faults.on(UnknownRecipient(address=BAD))
        await asyncio.to_thread(send, here, 1, BAD, [], ["NOTIFY=NEVER"])
        await asyncio.to_thread(send, here, 2, BAD, [], ["NOTIFY=SUCCESS,DELAY"])
        asked = ["NOTIFY=FAILURE", "ORCPT=rfc822;no+2Bbody@example.org"]
        await asyncio.to_thread(send, here, 3, BAD, ["RET=FULL", "ENVID=QQ+2B1"], asked)
        (report,) = await reports(here, arrived=1, failed=3)
    assert b"Subject: 3\r\n" in report.raw
    assert b"Original-Envelope-Id: QQ+1\r\n" in report.raw
    assert b"Original-Recipient: rfc822;no+body@example.org\r\n" in report.raw
    assert b"Content-Type: message/rfc822\r\n" in report.raw
    assert b"secret words" in report.raw


async def test_success_is_reported_as_relayed_and_only_to_senders_who_asked(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await asyncio.to_thread(send, here, 1, GOOD, [], [])
        await asyncio.to_thread(send, here, 2, GOOD, [], ["NOTIFY=FAILURE"])
        await asyncio.to_thread(send, here, 3, GOOD, ["RET=HDRS"], ["NOTIFY=SUCCESS"])
        (report,) = await reports(here, arrived=4, failed=0)
    assert b"Action: relayed\r\n" in report.raw
    assert b"Subject: 3\r\n" in report.raw
    assert b"secret words" not in report.raw


async def minutes(clock: FakeClock, here: World, number: int) -> None:
    """Time goes by in small steps, in each of which what was begun ends."""
    for _ in range(number):
        await clock.advance(timedelta(minutes=1))
        async with asyncio.timeout(10):
            while here.relay.queue.in_flight:  # noqa: ASYNC110
                await asyncio.sleep(0)


async def test_a_delay_is_reported_to_senders_who_asked_and_to_those_who_said_nothing(
    tmp_path: Path,
) -> None:
    """RFC 3461 section 4.1: without NOTIFY a sender may get a report of delays."""
    clock = FakeClock()
    extra = '[delivery]\ndelay_notice = "10m"\n'
    async with world(tmp_path, extra=extra, clock=clock) as here:
        here.cloud.faults.on(Refuse(code="ErrorServerBusy", recipient=GOOD))
        asked = ("NOTIFY=DELAY", "", "NOTIFY=FAILURE", "NOTIFY=SUCCESS", "NOTIFY=NEVER")
        for number, words in enumerate(asked, 1):
            await asyncio.to_thread(send, here, number, GOOD, [], words.split())
        await minutes(clock, here, 9)
        assert here.events("relayed") == []
        await minutes(clock, here, 15)
        found = here.cloud.mailboxes.received_by(SENDER)
        about = [re.search(rb"\r\nSubject: (\d)\r\n", report.raw) for report in found]
        assert sorted(one[1] for one in about if one) == [b"1", b"2"]
        assert all(b"Action: delayed\r\n" in report.raw for report in found)
        assert all(b"Will-Retry-Until: " in report.raw for report in found)
        here.cloud.faults.clear()
        await minutes(clock, here, 20)
        assert len(here.cloud.mailboxes.received_by(GOOD)) == len(asked)
