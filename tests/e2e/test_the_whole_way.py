"""A message goes all the way; if it cannot, the reason is reported."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from graphrelay.cli.demo import authorize
from graphrelay.config import load
from graphrelay.daemon.wiring import control_socket
from graphrelay.sandbox.faults import CutBefore
from graphrelay.sandbox.mailbox_items import Kept
from tests.clock import FakeClock
from tests.control.socket.asking import converse
from tests.world import Scenario, World, world

MESSAGE = (
    b"From: Shop <wp@contoso.com>\r\nTo: alice@contoso.com\r\nCc: Bob <bob@contoso.com>\r\n"
    b"Subject: Order confirmed\r\n\r\nThank you.\r\n"
)


def send(world: World, recipients: list[str], message: bytes = MESSAGE) -> None:
    with world.client() as client:
        assert client.sendmail("wp@contoso.com", recipients, message) == {}


@pytest.mark.parametrize("scenario", ["user", "any-user"])
async def test_each_recipient_of_the_envelope_receives_it_once_and_nobody_else(
    tmp_path: Path, scenario: Scenario
) -> None:
    async with world(tmp_path, scenario=scenario) as here:
        recipients = ["alice@contoso.com", "hidden@example.org"]  # bob is in Cc only
        await asyncio.to_thread(send, here, recipients)
        (mail,) = await here.cloud.mailboxes.arrived(1)
    assert sorted(mail.received) == sorted(recipients)
    assert mail.mailbox == "wp@contoso.com"
    assert isinstance(mail.outgoing, Kept)
    assert b"hidden@example.org" not in mail.outgoing.octets
    assert b"Thank you." in mail.raw
    assert [entry.event for entry in here.entries if entry.queue_id] == [
        "accepted",
        "attempt",
        "relayed",
    ]


async def test_mail_accepted_before_the_authorization_flows_by_itself_after_it(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, scenario="user", authorized=False) as here:
        await asyncio.to_thread(send, here, ["alice@contoso.com"])
        paused = await here.event("paused")
        assert "graphrelay authorize website" in str(paused.fields["remedy"])
        assert not here.cloud.mailboxes.submitted
        await authorize(here.cloud, here.relay)
        (mail,) = await here.cloud.mailboxes.arrived(1)
    assert mail.received == ("alice@contoso.com",)
    assert here.events("resumed")


async def test_the_wrong_person_signing_in_is_refused_and_nothing_is_stored(tmp_path: Path) -> None:
    async with world(tmp_path, scenario="user", authorized=False) as here:
        end = await authorize(here.cloud, here.relay, "alice@contoso.com")
        assert end["kind"] == "refused"
        assert "alice@contoso.com signed in, but account website is for wp@" in end["reason"]
        status = await here.relay.tokens.status("website")
    assert status.word == "Unauthorized"


async def test_what_was_accepted_survives_a_restart_with_the_cloud_away(tmp_path: Path) -> None:
    """Mail in the spool, and an application instead of the user: the next process needs no
    person."""
    async with world(tmp_path, scenario="user") as here:
        status = await here.relay.tokens.status("website")
        assert status.word == "Authorized"
        await here.relay.tokens.revoke("website")
        await asyncio.to_thread(send, here, ["alice@contoso.com"])
        await here.event("paused")
    async with world(tmp_path, scenario="any-user", authorized=False) as here:
        (mail,) = await here.cloud.mailboxes.arrived(1)
    assert mail.received == ("alice@contoso.com",)


async def test_an_unreachable_cloud_delays_and_says_so_and_the_mail_flows_later(
    tmp_path: Path,
) -> None:
    clock = FakeClock()
    async with world(tmp_path, clock=clock) as here:
        here.cloud.faults.on(CutBefore())
        await asyncio.to_thread(send, here, ["alice@contoso.com"])
        await here.event("delayed", "uncertain")
        here.cloud.faults.clear()
        await clock.advance(timedelta(minutes=5))
        (mail,) = await here.cloud.mailboxes.arrived(1)
    assert mail.received == ("alice@contoso.com",)


async def test_the_control_socket_lists_shows_and_logs_what_happened(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await asyncio.to_thread(send, here, ["alice@contoso.com"])
        await here.cloud.mailboxes.arrived(1)
        await here.event("relayed")
        path = control_socket(load(here.config))

        async def nobody(what: str) -> str:
            raise AssertionError(what)

        (row,) = [event async for event in converse(path, "log", {}, nobody)]
        assert row["outcome"] == "relayed"
        assert row["recipients"] == ["alice@contoso.com"]
        assert row["request_id"]
        asked = {"queue_id": row["queue_id"]}
        (message,) = [event async for event in converse(path, "queue-show", asked, nobody)]
        assert message["subject"] == "Order confirmed"
        assert message["parts"][0]["history"][0]["http"] == 202
        arguments = {"recipient": "bob@contoso.com"}
        kinds = [event["kind"] async for event in converse(path, "send-test", arguments, nobody)]
        assert kinds == ["accepted", "happened", "relayed"]
