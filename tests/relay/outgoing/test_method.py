"""Each message is submitted by the method that suits it, and anything that this method cannot keep
is recorded."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from graphrelay.graph.session import Json, Mime
from graphrelay.model import (
    Attempt,
    Failed,
    Held,
    OctetSource,
    Plan,
    Relayed,
    Submission,
    Uncertain,
)
from graphrelay.oauth.scenario import AccountOptions
from graphrelay.relay.outgoing import method
from graphrelay.relay.outgoing.as_mime import outgoing
from graphrelay.relay.outgoing.method import Allowance, AtOnce, ByDraft, SubmissionMethod
from graphrelay.relay.policy.schedule import DeliveryPolicy
from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.directory import CONFIDENTIAL_CLIENT
from graphrelay.sandbox.faults import AnswerAfter, CutAfter
from graphrelay.sandbox.graph.faults import HeaderRefused
from graphrelay.spool.queries import HistoryOf
from graphrelay.spool.sqlite.files.bodies import FileBody
from tests.e2e.large import letter, part
from tests.relay.cloud import WP, Delivery, delivering
from tests.relay.mail import plan, submission

SMALL = Allowance(request=100_000, mime=100_000)
LARGE = Allowance(AccountOptions(large_messages=True), request=100_000, mime=100_000)
ONCE = Allowance(AccountOptions(exact_once=True), request=100_000, mime=100_000)
JSON = replace(plan(), content="json")
NO_COPY = replace(plan(), content="json", save_to_sent_items=False)
TEXT = b"From: wp@contoso.com\r\nTo: a@b.example\r\nX-Job: 7\r\n\r\nHello\r\n"
BIG = letter(part("a.pdf", 200_000))
SIGNED = letter(part("a.p7s", 1_000), kind="signed")
BIG_SIGNED = letter(part("a.pdf", 200_000), kind="signed")


async def chosen(
    message: bytes, allowed: Allowance, planned: Plan | None = None
) -> SubmissionMethod | Failed:
    given = submission(message, "alice@contoso.com", planned=planned or plan())
    return await method.choose(given, allowed, outgoing)


async def octets(source: OctetSource) -> bytes:
    return b"".join([piece async for piece in source.chunks()])


async def test_what_fits_into_a_request_goes_as_mime() -> None:
    found = await chosen(TEXT, SMALL)
    assert isinstance(found, AtOnce)
    assert isinstance(found.content, Mime)
    assert (await octets(found.content.octets)).endswith(b"\r\n\r\nHello\r\n")
    assert found.lost == ()


async def test_the_limit_counts_the_base64(tmp_path: Path) -> None:
    head = b"From: info@contoso.com\r\nTo: a@b.example\r\n\r\n"
    for size, fits in ((3_000, True), (3_001, False)):
        message = head + b"x" * (size - len(head))
        given = submission(message, "a@b.example", planned=replace(plan(), from_address=None))
        found = await method.choose(given, Allowance(request=4_000, mime=4_000), outgoing)
        assert (isinstance(found, AtOnce) and isinstance(found.content, Mime)) is fits, size


async def test_a_route_for_json_gets_json_and_one_that_leaves_no_copy_says_so() -> None:
    for planned, said in ((JSON, False), (NO_COPY, True)):
        found = await chosen(TEXT, SMALL, planned)
        assert isinstance(found, AtOnce)
        assert isinstance(found.content, Json)
        assert (b'"saveToSentItems":false' in await octets(found.content.octets)) is said


async def test_no_copy_is_asked_for_where_only_that_is_set() -> None:
    found = await chosen(TEXT, SMALL, replace(plan(), save_to_sent_items=False))
    assert isinstance(found, AtOnce)
    assert isinstance(found.content, Json)


async def test_what_must_go_exactly_once_goes_by_draft() -> None:
    found = await chosen(TEXT, ONCE)
    assert isinstance(found, ByDraft)
    assert isinstance(found.content, Mime)
    found = await chosen(TEXT, ONCE, JSON)
    assert isinstance(found, ByDraft)
    assert isinstance(found.content, Json)


async def test_what_must_leave_no_copy_cannot_go_by_draft_so_it_does_not() -> None:
    found = await chosen(TEXT, ONCE, NO_COPY)
    assert isinstance(found, AtOnce)
    assert isinstance(found.content, Json)


async def test_what_is_too_large_goes_by_draft_where_the_account_may() -> None:
    found = await chosen(BIG, LARGE)
    assert isinstance(found, ByDraft)
    assert [one.name for one in found.attachments] == ["a.pdf"]
    refused = await chosen(BIG, SMALL)
    assert isinstance(refused, Failed)
    assert refused.status == "5.3.4"


@pytest.mark.parametrize(
    ("allowed", "planned"),
    [
        (SMALL, plan()),
        (replace(LARGE, bare=True), plan()),
        (replace(LARGE, mime_drafts=False), plan()),
        (LARGE, JSON),
        (LARGE, NO_COPY),
        (LARGE, replace(plan(), redirect_to="trial@contoso.com")),
    ],
)
async def test_its_texts_go_as_mime_unless_something_speaks_against_it(
    allowed: Allowance, planned: Plan
) -> None:
    found = await chosen(BIG, LARGE)
    assert isinstance(found, ByDraft)
    assert found.from_mime is not None
    other = await chosen(BIG, allowed, planned)
    assert isinstance(other, Failed) or not (
        isinstance(other, ByDraft) and (other.from_mime or isinstance(other.content, Mime))
    )


async def test_that_a_copy_stays_all_the_same_is_reported() -> None:
    found = await chosen(BIG, LARGE, NO_COPY)
    assert isinstance(found, ByDraft)
    assert found.lost[-1] == method.COPY_STAYS


@pytest.mark.parametrize(
    ("message", "allowed", "planned"),
    [(BIG_SIGNED, LARGE, plan()), (BIG_SIGNED, LARGE, JSON), (SIGNED, SMALL, NO_COPY)],
)
async def test_what_is_signed_is_refused_with_the_reason_and_never_taken_apart(
    message: bytes, allowed: Allowance, planned: Plan
) -> None:
    found = await chosen(message, allowed, planned)
    assert isinstance(found, Failed)
    assert found.status == "5.6.3"
    assert "signed" in found.reason


async def test_what_is_signed_goes_as_it_is_where_a_copy_may_stay() -> None:
    found = await chosen(SIGNED, SMALL, JSON)
    assert isinstance(found, AtOnce)
    assert isinstance(found.content, Mime)


INVITATION = TEXT.replace(b"\r\n\r\n", b"\r\nContent-Type: text/calendar; method=REQUEST\r\n\r\n")


async def test_an_invitation_goes_as_a_file_unless_the_route_says_mime() -> None:
    found = await chosen(INVITATION, SMALL, JSON)
    assert isinstance(found, AtOnce)
    assert isinstance(found.content, Json)
    found = await chosen(INVITATION, SMALL, replace(JSON, invitations="mime"))
    assert isinstance(found, AtOnce)
    assert isinstance(found.content, Mime)
    assert found.lost == ()
    other = await chosen(TEXT, SMALL, replace(JSON, invitations="mime"))
    assert isinstance(other, AtOnce)
    assert isinstance(other.content, Json)


async def test_an_invitation_as_mime_leaves_a_copy_and_that_is_reported() -> None:
    asked = replace(NO_COPY, invitations="mime")
    found = await chosen(INVITATION, SMALL, asked)
    assert isinstance(found, AtOnce)
    assert isinstance(found.content, Mime)
    assert found.lost == (method.INVITATION_STAYS,)
    found = await chosen(INVITATION, ONCE, asked)
    assert isinstance(found, ByDraft)
    assert found.lost == (method.INVITATION_STAYS,)


async def test_an_invitation_too_large_for_mime_is_taken_apart() -> None:
    big = INVITATION + b"x" * 200_000
    found = await chosen(big, LARGE, replace(JSON, invitations="mime"))
    assert isinstance(found, ByDraft)
    assert isinstance(found.content, Json)
    assert "the invitation is an attachment, not a meeting request" in found.lost


async def test_a_header_section_beyond_any_request_is_refused() -> None:
    found = await chosen(b"Subject: " + b"x" * 200_000 + b"\r\n\r\n", LARGE)
    assert isinstance(found, Failed)
    assert found.status == "5.3.4"


async def test_the_size_of_a_file_does_not_matter_to_memory(tmp_path: Path) -> None:
    path = tmp_path / "body"
    path.write_bytes(BIG)
    given = submission(FileBody(path, len(BIG)), "alice@contoso.com", planned=JSON)
    found = await method.choose(given, LARGE, outgoing)
    assert isinstance(found, ByDraft)
    assert isinstance(found.content, Json)
    assert found.content.octets.size < 2_000


# All the way --------------------------------------------------------------------------------------

SEND_MAIL = f"/v1.0/users/{WP.mailbox}/sendMail"
HEADER = "X-Job: 7\r\nX-Mailer: shop\r\nList-Id: <shop.example>\r\n"


@pytest.fixture
async def cloud() -> AsyncIterator[Sandbox]:
    async with Sandbox() as cloud:
        app = cloud.directory.app(CONFIDENTIAL_CLIENT)
        assert app is not None
        app.roles = {"Mail.Send", "Mail.ReadWrite"}
        yield cloud


def planned(content: str, *, save: bool = True) -> Plan:
    return Plan(route="r", lane=WP, content=content, save_to_sent_items=save)  # type: ignore[arg-type]


async def outcomes(delivery: Delivery, one: Submission) -> list[object]:
    found = await delivery.spool.read(HistoryOf(one.queue_id))
    assert found is not None
    return [event.outcome for event in found.parts[0].history if isinstance(event, Attempt)]


@pytest.mark.parametrize("save", [True, False])
async def test_json_arrives_with_or_without_a_copy_and_what_it_lost_is_kept(
    cloud: Sandbox, tmp_path: Path, save: bool
) -> None:
    async with delivering(cloud, tmp_path) as delivery:
        one = await delivery.accept(1, header=HEADER, plan=planned("json", save=save))
        await delivery.ended(1)
        (mail,) = delivery.submitted
        assert (mail.via, mail.saved_to_sent) == ("json", save)
        assert mail.content.text.strip() == "Hello"
        (outcome,) = await outcomes(delivery, one)
        assert isinstance(outcome, Relayed)
        assert outcome.lost == ("the header field List-Id",)
        [told] = [entry for entry in delivery.entries if entry.event == "relayed"]
        assert told.fields["lost"] == outcome.lost


async def test_a_doubt_about_mail_without_a_copy_cannot_be_looked_into(
    cloud: Sandbox, tmp_path: Path
) -> None:
    policy, options = DeliveryPolicy(on_uncertain="hold"), AccountOptions(large_messages=True)
    async with delivering(cloud, tmp_path, policy, options=options) as delivery:
        cloud.faults.on(CutAfter(path=SEND_MAIL, times=1))
        one = await delivery.accept(1, header=HEADER, plan=planned("json", save=False))
        await delivery.ended(1)
        found = await delivery.spool.read(HistoryOf(one.queue_id))
        assert found is not None
        assert isinstance(found.parts[0].state, Held)
        (outcome,) = await outcomes(delivery, one)
        assert isinstance(outcome, Uncertain)
        assert outcome.lost == ("the header field List-Id",)


async def test_what_was_lost_is_reported_where_an_earlier_attempt_turns_out_to_have_sent_it(
    cloud: Sandbox, tmp_path: Path
) -> None:
    async with delivering(cloud, tmp_path, options=AccountOptions(large_messages=True)) as delivery:
        cloud.faults.on(AnswerAfter(path=SEND_MAIL, status=504, times=1))
        one = await delivery.accept(1, header=HEADER, plan=planned("json"))
        await delivery.ended(1)
        await delivery.clock.advance(timedelta(minutes=2))
        await delivery.ended(2)
        assert len(delivery.submitted) == 1
        outcome = (await outcomes(delivery, one))[-1]
        assert isinstance(outcome, Relayed)
        assert outcome.lost == ("the header field List-Id",)


HEADERS = ["mime", "json", "exact once"]


@pytest.mark.parametrize("how", HEADERS)
async def test_refused_header_fields_are_left_out_and_reported(
    cloud: Sandbox, tmp_path: Path, how: str
) -> None:
    options = AccountOptions(exact_once=how == "exact once")
    async with delivering(cloud, tmp_path, options=options) as delivery:
        cloud.faults.on(HeaderRefused(name="X-Job"))
        given = planned("json" if how == "json" else "mime")
        one = await delivery.accept(1, header=HEADER, plan=given)
        await delivery.ended(1)
        assert delivery.told() == ["attempt", "relayed"]
        (mail,) = delivery.submitted
        assert b"X-Job" not in mail.raw
        assert mail.subject == "1"
        assert mail.message_id == "<1@contoso.com>"
        assert mail.content.text.strip() == "Hello"
        (outcome,) = await outcomes(delivery, one)
        assert isinstance(outcome, Relayed)
        assert any("X-Job" in what for what in outcome.lost)
        assert any("X-Mailer" in what for what in outcome.lost)
        user = cloud.directory.user(WP.mailbox)
        assert user is not None
        assert cloud.mailboxes.drafts(user) == []


async def test_a_field_refused_that_is_none_of_those_fails_as_it_is(
    cloud: Sandbox, tmp_path: Path
) -> None:
    async with delivering(cloud, tmp_path) as delivery:
        cloud.faults.on(HeaderRefused(name="Subject"))
        await delivery.accept(1, header=HEADER)
        await delivery.ended(1)
        assert delivery.told() == ["attempt", "failed"]


@pytest.mark.parametrize("size", [10, 200_000])
async def test_the_body_keeps_its_octets_where_header_fields_are_left_out(
    cloud: Sandbox, tmp_path: Path, size: int
) -> None:
    async with delivering(cloud, tmp_path) as delivery:
        cloud.faults.on(HeaderRefused(name="X-Job"))
        body = b"Line\r\n.\r\n\xff\x00" + b"x" * size
        await delivery.accept(1, header=HEADER, body=body)
        await delivery.ended(1)
        (mail,) = delivery.submitted
        assert mail.raw.partition(b"\r\n\r\n")[2] == body
