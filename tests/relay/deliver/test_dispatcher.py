"""Lost answers resolved by a look into a mailbox of the sandbox, and mail that is sent exactly
once."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest

from graphrelay.model import Held, Plan
from graphrelay.oauth.scenario import AccountOptions
from graphrelay.relay.policy.schedule import DeliveryPolicy
from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.directory import CONFIDENTIAL_CLIENT
from graphrelay.sandbox.faults import Answer, AnswerAfter, CutAfter, CutBefore, Delay, Fault, Stall
from graphrelay.sandbox.graph.faults import (
    DraftStuck,
    ItemNotFoundOnSend,
    Refuse,
    RefuseAfter,
    SlowSentItems,
    StaleReplica,
    TokenRefused,
)
from graphrelay.spool.queries import QueueFilter
from tests.relay.cloud import WP, Delivery, delivering

MINUTE = timedelta(minutes=1)
MESSAGES = f"/v1.0/users/{WP.mailbox}/messages"
SEND_MAIL = f"/v1.0/users/{WP.mailbox}/sendMail"
LOOKS = AccountOptions(large_messages=True)
ONCE = AccountOptions(exact_once=True)
ALIAS = "al@contoso.com"
HOLD = DeliveryPolicy(on_uncertain="hold")

Deliver = Callable[..., AbstractAsyncContextManager[Delivery]]


@pytest.fixture
async def cloud() -> AsyncIterator[Sandbox]:
    async with Sandbox() as cloud:
        app = cloud.directory.app(CONFIDENTIAL_CLIENT)
        assert app is not None
        app.roles = {"Mail.Send", "Mail.ReadWrite"}
        yield cloud


async def go_on(delivery: Delivery, wait: timedelta = 2 * MINUTE, attempts: int = 1) -> None:
    """Move the clock to the next attempt, and wait until it has ended."""
    ended = delivery.courier.ended
    await delivery.clock.advance(wait)
    await delivery.ended(ended + attempts)


def drafts(delivery: Delivery) -> int:
    user = delivery.cloud.directory.user(WP.mailbox)
    assert user is not None
    return len(delivery.cloud.mailboxes.drafts(user))


# Looking after a lost answer -----------------------------------------------------------------

LOST_AFTER = [
    CutAfter(path=SEND_MAIL, times=1),
    AnswerAfter(path=SEND_MAIL, status=504, times=1),
    RefuseAfter(code="ErrorInternalServerError", status=500, times=1),
]
LOST_BEFORE = [
    Answer(path=SEND_MAIL, status=504, times=1),
    Answer(path=SEND_MAIL, status=500, times=1),
]


@pytest.mark.parametrize("fault", LOST_AFTER)
@pytest.mark.parametrize("on_uncertain", ["retry", "hold"])
async def test_what_had_been_sent_is_found_and_not_sent_again(
    cloud: Sandbox, tmp_path: Path, fault: Fault, on_uncertain: Literal["retry", "hold"]
) -> None:
    policy = DeliveryPolicy(on_uncertain=on_uncertain)
    async with delivering(cloud, tmp_path, policy, options=LOOKS) as delivery:
        cloud.faults.on(fault)
        await delivery.accept(1)
        await delivery.ended(1)
        await go_on(delivery)
        assert delivery.told() == ["attempt", "uncertain", "attempt", "settled", "relayed"]
        assert len(delivery.submitted) == 1


@pytest.mark.parametrize(
    ("to", "plan"),
    [
        ("Straße@EXAMPLE.org", None),
        ("you@bücher.example", None),
        ("you@xn--bcher-kva.example", None),
        ("you@example.org", Plan(route="trial", lane=WP, redirect_to="info@contoso.com")),
    ],
)
async def test_a_copy_is_known_by_its_recipients_however_they_are_written(
    cloud: Sandbox, tmp_path: Path, to: str, plan: Plan | None
) -> None:
    async with delivering(cloud, tmp_path, HOLD, options=LOOKS) as delivery:
        cloud.faults.on(LOST_AFTER[0])
        await delivery.accept(1, to=to, plan=plan)
        await delivery.ended(1)
        await go_on(delivery)
        assert delivery.told() == ["attempt", "uncertain", "attempt", "settled", "relayed"]


@pytest.mark.parametrize("fault", LOST_BEFORE)
@pytest.mark.parametrize("on_uncertain", ["retry", "hold"])
async def test_what_had_not_been_sent_is_sent_again(
    cloud: Sandbox, tmp_path: Path, fault: Fault, on_uncertain: Literal["retry", "hold"]
) -> None:
    policy = DeliveryPolicy(on_uncertain=on_uncertain)
    async with delivering(cloud, tmp_path, policy, options=LOOKS) as delivery:
        cloud.faults.on(fault)
        await delivery.accept(1)
        await delivery.ended(1)
        await go_on(delivery)
        assert delivery.told() == ["attempt", "uncertain", "attempt", "settled", "relayed"]
        assert len(delivery.submitted) == 1


async def test_exchange_is_given_time_before_we_look(cloud: Sandbox, tmp_path: Path) -> None:
    async with delivering(cloud, tmp_path, options=LOOKS) as delivery:
        cloud.faults.on(LOST_AFTER[0])
        await delivery.accept(1)
        await delivery.ended(1)
        await delivery.clock.advance(2 * MINUTE - timedelta(seconds=1))
        assert delivery.courier.ended == 1


async def test_one_transaction_for_each_recipient_with_the_same_message_id_loses_nobody(
    cloud: Sandbox, tmp_path: Path
) -> None:
    async with delivering(cloud, tmp_path, options=LOOKS) as delivery:
        await delivery.accept(1, to="a@example.org", message_id="<same@contoso.com>")
        await delivery.ended(1)
        cloud.faults.on(LOST_BEFORE[0])
        await delivery.accept(2, to="b@example.org", message_id="<same@contoso.com>")
        await delivery.ended(2)
        await go_on(delivery)
        assert len(cloud.mailboxes.received_by("a@example.org")) == 1
        assert len(cloud.mailboxes.received_by("b@example.org")) == 1


async def test_what_is_still_in_drafts_is_given_time_and_then_sent_from_there(
    cloud: Sandbox, tmp_path: Path
) -> None:
    async with delivering(cloud, tmp_path, options=LOOKS) as delivery:
        cloud.faults.on(SlowSentItems(lookups=1, times=1), LOST_AFTER[0])
        await delivery.accept(1)
        await delivery.ended(1)
        await go_on(delivery)
        assert delivery.told() == ["attempt", "uncertain", "attempt", "delayed"]
        await go_on(delivery, 5 * MINUTE)
        assert delivery.told("relayed") == ["relayed"]
        assert len(delivery.submitted) == 1


async def test_an_account_that_may_not_look_after_all_falls_back_to_the_policy(
    cloud: Sandbox, tmp_path: Path
) -> None:
    app = cloud.directory.app(CONFIDENTIAL_CLIENT)
    assert app is not None
    app.roles = {"Mail.Send"}
    async with delivering(cloud, tmp_path, HOLD, options=LOOKS) as delivery:
        cloud.faults.on(LOST_AFTER[0])
        await delivery.accept(1)
        await delivery.ended(1)
        await go_on(delivery)
        [row] = await delivery.spool.read(QueueFilter())
        assert isinstance(row.state, Held)
        assert len(delivery.submitted) == 1


async def test_a_look_that_fails_is_made_again_before_anything_is_sent(
    cloud: Sandbox, tmp_path: Path
) -> None:
    async with delivering(cloud, tmp_path, options=LOOKS) as delivery:
        cloud.faults.on(LOST_AFTER[0], Answer(path=MESSAGES, status=503, times=1))
        await delivery.accept(1)
        await delivery.ended(1)
        await go_on(delivery)
        await go_on(delivery)
        assert len(delivery.submitted) == 1
        assert delivery.told("relayed") == ["relayed"]


@pytest.mark.parametrize("options", [LOOKS, ONCE])
@pytest.mark.parametrize("sent", [True, False])
async def test_what_was_cut_off_in_mid_flight_is_looked_for_at_the_next_start(
    cloud: Sandbox, tmp_path: Path, options: AccountOptions, sent: bool
) -> None:
    stall = Stall(part="graph")
    cloud.faults.on(Delay(part="graph", method="POST", seconds=600) if sent else stall)
    async with delivering(cloud, tmp_path, options=options) as delivery:
        clock = delivery.clock
        await delivery.accept(1)
        if sent and options == LOOKS:
            await cloud.mailboxes.arrived(1)
    cloud.faults.clear()
    async with delivering(cloud, tmp_path, options=options, clock=clock) as delivery:
        await go_on(delivery)
        assert delivery.told("relayed") == ["relayed"]
        assert len(delivery.submitted) == 1


# Exactly once --------------------------------------------------------------------------------


async def test_exact_once_goes_by_draft_and_leaves_none_behind(
    cloud: Sandbox, tmp_path: Path
) -> None:
    async with delivering(cloud, tmp_path, options=ONCE) as delivery:
        await delivery.accept(1, body=b"octets \xff\r\n")
        await delivery.ended(1)
        [mail] = delivery.submitted
        assert mail.raw.endswith(b"octets \xff\r\n")
        assert drafts(delivery) == 0
        assert delivery.told() == ["attempt", "relayed"]
        paths = [request.path for request in cloud.requests]
        assert SEND_MAIL not in paths


ANYWHERE: list[Fault] = [
    CutBefore(part="graph", method="POST", times=1),
    CutAfter(part="graph", method="POST", times=1),
    CutAfter(path=f"{MESSAGES}/", method="POST", times=1),
    CutBefore(path=f"{MESSAGES}/", method="POST", times=1),
    AnswerAfter(path=f"{MESSAGES}/", method="POST", status=504, times=1),
    AnswerAfter(path=f"{MESSAGES}/", method="POST", status=500, times=1),
    Answer(path=f"{MESSAGES}/", method="POST", status=500, times=1),
    Answer(path=f"{MESSAGES}/", method="POST", status=429, times=1),
    Answer(path=MESSAGES, method="POST", status=503, times=1),
    AnswerAfter(path=MESSAGES, method="POST", status=500, times=1),
    TokenRefused(times=1),
    ItemNotFoundOnSend(times=1),
    ItemNotFoundOnSend(sent=True, times=1),
    SlowSentItems(lookups=1, times=1),
]


@pytest.mark.parametrize("ids_survive_sending", [True, False])
@pytest.mark.parametrize("fault", ANYWHERE, ids=str)
async def test_whatever_is_lost_the_message_goes_once(
    cloud: Sandbox, tmp_path: Path, fault: Fault, ids_survive_sending: bool
) -> None:
    cloud.mailboxes.settings.ids_survive_sending = ids_survive_sending
    async with delivering(cloud, tmp_path, options=ONCE) as delivery:
        cloud.faults.on(fault)
        await delivery.accept(1)
        await delivery.ended(1)
        while not delivery.told("relayed"):
            await go_on(delivery, 5 * MINUTE)
        assert len(delivery.submitted) == 1
        assert len(cloud.mailboxes.received_by("you@example.org")) == 1


def with_an_alias(cloud: Sandbox, *, ids_survive_sending: bool) -> None:
    """Exchange shows alice@contoso.com in Sent Items instead."""
    alice = cloud.directory.user("alice@contoso.com")
    assert alice is not None
    alice.addresses.append(ALIAS)
    cloud.mailboxes.settings.aliases_resolved = True
    cloud.mailboxes.settings.ids_survive_sending = ids_survive_sending


@pytest.mark.parametrize("ids_survive_sending", [True, False])
@pytest.mark.parametrize("sent", [True, False])
async def test_a_recipient_that_exchange_rewrote_makes_no_double(
    cloud: Sandbox, tmp_path: Path, ids_survive_sending: bool, sent: bool
) -> None:
    with_an_alias(cloud, ids_survive_sending=ids_survive_sending)
    send = f"{MESSAGES}/"
    async with delivering(cloud, tmp_path, options=ONCE) as delivery:
        cloud.faults.on(
            CutAfter(path=send, method="POST", times=1)
            if sent
            else Answer(path=send, method="POST", status=504, times=1)
        )
        await delivery.accept(1, to=ALIAS)
        await delivery.ended(1)
        while not delivery.told("relayed"):
            await go_on(delivery, 5 * MINUTE)
        assert len(delivery.submitted) == 1


async def test_what_stays_unclear_is_held_and_not_sent_again(
    cloud: Sandbox, tmp_path: Path
) -> None:
    """Two messages share a Message-ID, so the copy could be of either."""
    with_an_alias(cloud, ids_survive_sending=False)
    async with delivering(cloud, tmp_path, options=ONCE) as delivery:
        await delivery.accept(1, to="b@example.org", message_id="<same@contoso.com>")
        await delivery.ended(1)
        cloud.faults.on(CutAfter(path=f"{MESSAGES}/", method="POST", times=1))
        await delivery.accept(2, to=ALIAS, message_id="<same@contoso.com>")
        await delivery.ended(2)
        await go_on(delivery)
        [row] = await delivery.spool.read(QueueFilter())
        assert isinstance(row.state, Held)
        assert len(delivery.submitted) == 2


async def test_the_copy_of_another_part_does_not_stand_for_a_lost_one(
    cloud: Sandbox, tmp_path: Path
) -> None:
    """It has the same Message-ID, and was sent after our draft was made."""
    cloud.mailboxes.settings.ids_survive_sending = False
    async with delivering(cloud, tmp_path, options=ONCE) as delivery:
        cloud.faults.on(Answer(path=f"{MESSAGES}/", method="POST", status=504, times=1))
        await delivery.accept(1, to="a@example.org", message_id="<same@contoso.com>")
        await delivery.ended(1)
        await delivery.accept(2, to="b@example.org", message_id="<same@contoso.com>")
        await go_on(delivery, MINUTE)
        while len(delivery.told("relayed")) < 2:
            await go_on(delivery, 5 * MINUTE)
        assert len(cloud.mailboxes.received_by("a@example.org")) == 1
        assert len(cloud.mailboxes.received_by("b@example.org")) == 1


async def test_every_third_answer_lost_and_nothing_twice(cloud: Sandbox, tmp_path: Path) -> None:
    async with delivering(cloud, tmp_path, options=ONCE) as delivery:
        cloud.faults.on(CutAfter(part="graph", every=3))
        for number in range(30):
            await delivery.accept(number)
        while len(delivery.told("relayed")) < 30:
            await delivery.clock.advance(MINUTE)
            before = delivery.courier.ended
            if delivery.queue.in_flight:
                await delivery.ended(before + 1)
        assert len(delivery.submitted) == 30
        assert delivery.doubles == 0


async def test_every_third_answer_lost_in_the_plain_mode_loses_nothing(
    cloud: Sandbox, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with delivering(cloud, tmp_path) as delivery:
        cloud.faults.on(CutAfter(part="graph", every=3))
        for number in range(30):
            await delivery.accept(number)
        while len(delivery.told("relayed")) < 30:
            await delivery.clock.advance(MINUTE)
            before = delivery.courier.ended
            if delivery.queue.in_flight:
                await delivery.ended(before + 1)
        assert len(cloud.mailboxes.submissions) == 30
        assert delivery.doubles == len(delivery.told("uncertain"))
        with capsys.disabled():
            print(f" [plain mode, every third answer lost: {delivery.doubles} of 30 twice]", end="")


async def test_a_draft_that_exchange_refuses_to_send_is_deleted(
    cloud: Sandbox, tmp_path: Path
) -> None:
    async with delivering(cloud, tmp_path, options=ONCE) as delivery:
        denied = Refuse(path=f"{MESSAGES}/", method="POST", code="ErrorSendAsDenied", times=1)
        cloud.faults.on(denied)
        await delivery.accept(1)
        await delivery.ended(1)
        assert delivery.told() == ["attempt", "failed"]
        assert drafts(delivery) == 0


async def test_a_draft_that_sticks_although_graph_took_it_is_not_our_doubt(
    cloud: Sandbox, tmp_path: Path
) -> None:
    async with delivering(cloud, tmp_path, options=ONCE) as delivery:
        cloud.faults.on(DraftStuck(times=1))
        await delivery.accept(1)
        await delivery.ended(1)
        assert delivery.told() == ["attempt", "relayed"]


@pytest.mark.parametrize("sent", [True, False])
async def test_a_replica_that_is_behind_makes_no_double(
    cloud: Sandbox, tmp_path: Path, sent: bool
) -> None:
    """Neither the draft nor a copy is found; the message may or may not have been sent."""
    async with delivering(cloud, tmp_path, options=ONCE) as delivery:
        cloud.faults.on(
            AnswerAfter(path=f"{MESSAGES}/", method="POST", status=504, times=1)
            if sent
            else Answer(path=f"{MESSAGES}/", method="POST", status=504, times=1),
            StaleReplica(times=2),
        )
        await delivery.accept(1)
        await delivery.ended(1)
        await go_on(delivery)
        assert delivery.told() == ["attempt", "uncertain", "attempt", "uncertain"]
        assert len(delivery.submitted) == sent
        await delivery.accept(2)
        await delivery.ended(3)  # the lane does not pause for it
        await delivery.clock.advance(4 * MINUTE)
        assert delivery.courier.ended == 3
        await go_on(delivery, MINUTE)
        assert len(delivery.submitted) == 2
        assert delivery.doubles == 0


async def test_what_shows_nowhere_twice_is_made_anew(cloud: Sandbox, tmp_path: Path) -> None:
    async with delivering(cloud, tmp_path, options=ONCE) as delivery:
        cloud.faults.on(
            Answer(path=f"{MESSAGES}/", method="POST", status=504, times=1), StaleReplica(times=4)
        )
        await delivery.accept(1)
        await delivery.ended(1)
        await go_on(delivery)
        await go_on(delivery, 5 * MINUTE)
        assert delivery.told("settled", "relayed") == ["settled", "relayed"]
        assert len(delivery.submitted) == 1
