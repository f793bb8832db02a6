"""One recipient of many was refused: the others get it, and the sender is notified of the one."""

import asyncio
import smtplib
from collections import deque
from dataclasses import replace
from email import message_from_bytes
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.model import Address, Answer, Envelope, Failed, InlineBody, Plan
from graphrelay.relay.policy import divide
from graphrelay.relay.policy.divide import Recipients
from graphrelay.sandbox.graph.faults import UnknownRecipient
from graphrelay.spool.queries import QueueFilter
from tests.relay.delivery import LANE, submission
from tests.world import World, world

REFUSED = Failed(status="5.1.3", reason="no", answer=Answer(code="ErrorInvalidRecipients"))
TOO_MANY = Failed(status="5.5.3", reason="no", answer=Answer(code="errorRecipientLimitExceeded"))
OTHER = Failed(status="5.6.0", reason="no", answer=Answer(code="ErrorMimeContentInvalid"))


def people(count: int) -> Recipients:
    return tuple(Address(f"r{number}", "example.org") for number in range(count))


def pieces(failed: Failed, count: int, redirect_to: str | None = None) -> tuple[Recipients, ...]:
    plan = Plan(route="default", lane=LANE, redirect_to=redirect_to)
    return divide.pieces(
        failed, replace(submission(1), envelope=Envelope(None, people(count)), plan=plan)
    )


@pytest.mark.parametrize("failed", [REFUSED, TOO_MANY])
@pytest.mark.parametrize("count", [2, 3, 8, 9, 500])
def test_the_pieces_are_the_recipients_each_once_and_in_order(failed: Failed, count: int) -> None:
    found = pieces(failed, count)
    assert tuple(one for piece in found for one in piece) == people(count)
    sizes = [len(piece) for piece in found]
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) > 0
    assert 2 <= len(found) <= divide.PIECES


def test_what_dividing_would_not_help_fails() -> None:
    assert pieces(REFUSED, 1) == ()
    assert pieces(OTHER, 5) == ()
    assert pieces(REFUSED, 5, redirect_to="me@contoso.com") == ()


def requests(count: int, bad: set[Address]) -> tuple[int, list[Recipients]]:
    """How many it takes, and which submissions went through."""
    asked, relayed = 0, list[Recipients]()
    waiting = deque([people(count)])
    while waiting:
        recipients = waiting.popleft()
        asked += 1
        if not bad & set(recipients):
            relayed.append(recipients)
            continue
        one = replace(submission(1), envelope=Envelope(None, recipients))
        waiting += divide.pieces(REFUSED, one)
    return asked, relayed


@given(st.integers(1, 500), st.data())
def test_every_good_recipient_gets_it_once_at_a_bounded_cost(
    count: int, data: st.DataObject
) -> None:
    bad = data.draw(st.sets(st.sampled_from(people(count)), max_size=20))
    asked, relayed = requests(count, bad)
    got = [one for recipients in relayed for one in recipients]
    assert sorted(map(str, got)) == sorted(str(one) for one in people(count) if one not in bad)
    assert asked <= 1 + 24 * len(bad)
    assert asked <= 2 * count


def test_the_cost_is_what_the_page_says() -> None:
    assert requests(500, {people(500)[250]})[0] <= 25
    assert requests(500, set(people(500)))[0] <= 580


# --- With a real cloud
# ------------------------------------------------------------------------------------


def send(here: World, recipients: list[str]) -> None:
    with smtplib.SMTP("127.0.0.1", here.port, timeout=30) as client:
        to = ", ".join(recipients[:3])
        client.sendmail(
            "alice@contoso.com",
            recipients,
            f"From: alice@contoso.com\r\nTo: {to}\r\nSubject: news\r\n\r\nHello\r\n",
        )


async def test_the_good_ones_get_it_once_and_the_bad_ones_are_reported(tmp_path: Path) -> None:
    names = [f"r{number}@example.org" for number in range(20)]
    bad = {names[0], names[13]}
    async with world(tmp_path) as here:
        for one in bad:
            here.cloud.faults.on(UnknownRecipient(address=one))
        await asyncio.to_thread(send, here, names)
        await here.until(lambda: len(here.events("failed")) == 2)
        await here.until(lambda: len(here.events("relayed")) == 9 + 1)
        mails = here.cloud.mailboxes.submitted
        news = [mail for mail in mails if mail.subject == "news"]
        reports = [mail for mail in mails if mail.subject != "news"]
        stored = await here.relay.spool.read(QueueFilter())
        [row] = stored
        waiting = (await here.relay.spool.load(row.submission_id)).body
        assert isinstance(waiting, InlineBody)
    got = sorted(name for mail in news for name in mail.received)
    assert got == sorted(set(names) - bad)
    assert {one for mail in reports for one in mail.received} == {"alice@contoso.com"}
    finals = [
        line
        for octets in [*(mail.raw for mail in reports), waiting.octets]
        for line in message_from_bytes(octets).as_string().splitlines()
        if line.startswith("Final-Recipient:")
    ]
    assert sorted(finals) == sorted(f"Final-Recipient: rfc822; {one}" for one in bad)
    assert here.events("divided")[0].fields["recipients"] == 20
    assert len(reports) == 1  # the other one waits for more that fails within the minute


async def test_by_drafts_too_nobody_gets_it_twice_and_no_draft_stays(tmp_path: Path) -> None:
    names = [f"r{number}@example.org" for number in range(4)]
    async with world(tmp_path, scenario="user", account="exact_once = true\n") as here:
        here.cloud.faults.on(UnknownRecipient(address=names[2]))
        await asyncio.to_thread(send, here, names)
        await here.until(lambda: len(here.events("relayed")) == 3 + 1)
        mails = here.cloud.mailboxes.submitted
        user = here.cloud.directory.user("wp@contoso.com")
        assert user is not None
        left = here.cloud.mailboxes.drafts(user)
    news = [mail for mail in mails if mail.subject == "news"]
    assert sorted(name for mail in news for name in mail.received) == [*names[:2], names[3]]
    assert list(left) == []
