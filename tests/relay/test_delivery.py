"""Delivery through the sandbox's cloud under faults that are known from the real one."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.faults import AnswerAfter, CutAfter, CutBefore, ExtraHeaders, Stall
from graphrelay.sandbox.graph.faults import CutMidBody, Refuse, RefuseAfter, TokenRefused
from tests.relay.cloud import INFO, WP, Delivery, delivering

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
SEND = f"/v1.0/users/{WP.mailbox}/sendMail"


@pytest.fixture
async def cloud() -> AsyncIterator[Sandbox]:
    async with Sandbox() as cloud:
        yield cloud


@pytest.fixture
async def delivery(cloud: Sandbox, tmp_path: Path) -> AsyncIterator[Delivery]:
    async with delivering(cloud, tmp_path) as delivery:
        yield delivery


async def test_a_message_arrives_octet_for_octet(delivery: Delivery) -> None:
    await delivery.accept(1, body=b"Gr\xc3\xbc\xc3\x9fe\r\n.\r\n")
    await delivery.ended(1)
    [mail] = delivery.cloud.mailboxes.received_by("you@example.org")
    assert mail.raw.endswith(b"Message-ID: <1@contoso.com>\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n.\r\n")
    assert delivery.told() == ["attempt", "relayed"]


async def test_a_large_body_is_read_from_its_file(delivery: Delivery) -> None:
    body = b"x" * 70 + b"\r\n"
    await delivery.accept(1, body=body * 40_000)
    await delivery.ended(1)
    [mail] = delivery.submitted
    assert mail.raw.endswith(body * 40_000)


async def test_many_messages_go_out_at_four_a_mailbox_and_none_twice(delivery: Delivery) -> None:
    stall = Stall(part="graph")
    delivery.cloud.faults.on(stall)
    for number in range(100):
        await delivery.accept(number, lane=(WP, INFO)[number % 2])
    assert [view.in_flight for view in await delivery.queue.lanes()] == [4, 4]
    delivery.cloud.faults.off(stall)
    await delivery.ended(100)
    assert len(delivery.submitted) == 100
    assert delivery.doubles == 0
    assert max(delivery.cloud.mailboxes.peaks_in_flight.values()) <= 4
    assert delivery.told("delayed", "uncertain") == []


async def test_a_2xx_with_retry_after_is_final(delivery: Delivery) -> None:
    delivery.cloud.faults.on(ExtraHeaders(path=SEND, headers=(("Retry-After", "10"),)))
    await delivery.accept(1)
    await delivery.ended(1)
    await delivery.clock.advance(HOUR)
    assert len(delivery.submitted) == 1
    assert delivery.told() == ["attempt", "relayed"]


@pytest.mark.parametrize("retry_after", ["12", "11.5"])
async def test_throttling_is_waited_out(delivery: Delivery, retry_after: str) -> None:
    refuse = Refuse(
        code="TooManyRequests", times=1, retry_after=retry_after, retry_after_name="retry-after"
    )
    delivery.cloud.faults.on(refuse)
    await delivery.accept(1)
    await delivery.ended(1)
    await delivery.accept(2)
    await delivery.clock.advance(11 * SECOND)
    assert len(delivery.submitted) == 0
    await delivery.clock.advance(SECOND)
    await delivery.until(lambda: len(delivery.submitted) == 1)


@pytest.mark.parametrize("fault", [CutBefore(path=SEND, times=1), CutMidBody(octets=100, times=1)])
async def test_a_connection_lost_on_the_way_is_tried_again(
    delivery: Delivery, fault: CutBefore | CutMidBody
) -> None:
    delivery.cloud.faults.on(fault)
    await delivery.accept(1)
    await delivery.ended(1)
    await delivery.clock.advance(31 * SECOND)
    await delivery.ended(2)
    assert len(delivery.submitted) == 1
    assert delivery.told("relayed") == ["relayed"]


@pytest.mark.parametrize(
    "fault",
    [
        CutAfter(path=SEND, times=1),
        AnswerAfter(path=SEND, status=504, times=1),
        RefuseAfter(code="ErrorInternalServerError", status=500, times=1),
    ],
)
async def test_an_answer_that_is_lost_is_uncertain_and_sent_again_where_nobody_may_look(
    delivery: Delivery, fault: CutAfter
) -> None:
    delivery.cloud.faults.on(fault)
    await delivery.accept(1)
    await delivery.ended(1)
    assert delivery.told() == ["attempt", "uncertain"]
    await delivery.clock.advance(HOUR)
    await delivery.ended(2)
    assert delivery.doubles == 1


async def test_a_token_that_died_early_is_replaced_without_anybody_noticing(
    delivery: Delivery,
) -> None:
    delivery.cloud.faults.on(TokenRefused(times=1))
    await delivery.accept(1)
    await delivery.ended(1)
    assert delivery.told() == ["attempt", "relayed"]


async def test_a_blocked_mailbox_delays_no_other(delivery: Delivery) -> None:
    delivery.cloud.faults.on(Refuse(code="ErrorQuotaExceeded", mailbox=WP.mailbox))
    for number in range(10):
        await delivery.accept(number, lane=(WP, INFO)[number % 2])
    await delivery.until(lambda: len(delivery.submitted) == 5)
    assert delivery.told("paused") == ["paused"]
    delivery.cloud.faults.clear()
    await delivery.clock.advance(15 * 60 * SECOND)
    await delivery.until(lambda: len(delivery.submitted) == 10)
    assert delivery.told("paused", "resumed") == ["paused", "resumed"]


async def test_a_restart_goes_on_where_the_last_one_stopped(cloud: Sandbox, tmp_path: Path) -> None:
    cloud.faults.on(Refuse(code="ErrorServerBusy"))
    async with delivering(cloud, tmp_path) as delivery:
        for number in range(20):
            await delivery.accept(number)
        await delivery.until(lambda: delivery.queue.in_flight == 0)
        refused = len(delivery.told("delayed"))
        assert 1 <= refused <= 4
        clock = delivery.clock
    cloud.faults.clear()
    async with delivering(cloud, tmp_path, clock=clock) as delivery:
        await delivery.until(lambda: len(delivery.submitted) == 20 - refused)
        await clock.advance(31 * SECOND)
        await delivery.until(lambda: len(delivery.submitted) == 20)
        assert delivery.doubles == 0


@pytest.mark.parametrize("status", [400, 404, 412, 421, 425])
async def test_a_refusal_that_nobody_knows_delays_mail_and_does_not_bounce_it(
    delivery: Delivery, status: int
) -> None:
    delivery.cloud.faults.on(Refuse(code="UnknownError", status=status, times=1))
    await delivery.accept(1)
    await delivery.ended(1)
    assert delivery.told() == ["attempt", "delayed"]
    await delivery.clock.advance(31 * SECOND)
    await delivery.ended(2)
    assert len(delivery.submitted) == 1
