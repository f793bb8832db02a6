import base64
from typing import Any, Literal

import httpx
import pytest

from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.faults import (
    KINDS,
    AnswerAfter,
    CutAfter,
    CutBefore,
    ExtraHeaders,
    Fault,
    from_json,
    to_json,
)
from graphrelay.sandbox.graph.errors import CATALOGUE
from graphrelay.sandbox.graph.faults import (
    ChangedInTransport,
    CutMidBody,
    DraftStuck,
    HeaderRefused,
    HeadersDropped,
    ItemNotFoundOnSend,
    NonDelivery,
    OversizeAnswer,
    Refuse,
    RefuseAfter,
    SlowSentItems,
    StaleReplica,
    TokenRefused,
    UnknownRecipient,
    UploadAddress,
    UploadExpired,
)
from tests.sandbox.world import Graph, World, code_of, message

SCOPES = "Mail.ReadWrite Mail.Send"


async def draft(graph: Graph) -> str:
    answer = await graph.http.post(
        "/me/messages",
        content=base64.b64encode(message()),
        headers={"Content-Type": "text/plain", "Prefer": 'IdType="ImmutableId"'},
    )
    identity: str = answer.json()["id"]
    return identity


@pytest.mark.parametrize("code", CATALOGUE)
async def test_every_answer_of_the_catalogue_can_be_had(world: World, code: str) -> None:
    graph = await world.user()
    world.cloud.faults.on(Refuse(code=code, times=1))
    answer = await graph.send(message())
    assert answer.status_code == CATALOGUE[code][0]
    assert answer.json()["error"]["message"] == CATALOGUE[code][1]
    assert code_of(answer) == code
    assert world.cloud.mailboxes.submitted == []
    assert (await graph.send(message())).status_code == 202


async def test_status_and_text_can_be_others_than_the_catalogues(world: World) -> None:
    graph = await world.user()
    world.cloud.faults.on(Refuse(code="ErrorQuotaExceeded", status=403, message="Full."))
    answer = await graph.send(message())
    assert (answer.status_code, answer.json()["error"]["message"]) == (403, "Full.")


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("2.128", "Retry-After"),
        ("Mon, 23 Nov 2026 12:00:00 GMT", "Retry-After"),
        ("5", "retry-after"),
        ("soon", "Retry-After"),
        ("", "Retry-After"),
    ],
)
async def test_retry_after_comes_in_every_form(world: World, value: str, name: str) -> None:
    graph = await world.user()
    world.cloud.faults.on(
        Refuse(code="TooManyRequests", retry_after=value, retry_after_name=name, times=1)
    )
    answer = await graph.send(message())
    assert answer.status_code == 429
    assert answer.headers.get("retry-after", "") == value
    assert not value or name.encode() in [raw for raw, _ in answer.headers.raw]
    assert answer.json()["error"]["innerError"]["status"] == "429"


@pytest.mark.parametrize(("form", "start"), [("empty", b""), ("html", b"<html>")])
async def test_a_gateway_answers_without_json(world: World, form: Any, start: bytes) -> None:
    graph = await world.user()
    world.cloud.faults.on(Refuse(code="serviceNotAvailable", form=form, times=1))
    answer = await graph.send(message())
    assert answer.status_code == 503
    assert answer.content.startswith(start)
    assert form == "html" or answer.content == b""


async def test_an_error_after_the_mail_was_sent(world: World) -> None:
    graph = await world.user()
    world.cloud.faults.on(RefuseAfter(code="UnknownError", times=1))
    answer = await graph.send(message())
    assert answer.status_code == 504
    assert len(world.cloud.mailboxes.submitted) == 1


async def test_202_with_retry_after_and_200_after_all(world: World) -> None:
    graph = await world.user()
    world.cloud.faults.on(ExtraHeaders(headers=(("Retry-After", "30"),), times=1))
    answer = await graph.send(message())
    assert (answer.status_code, answer.headers["retry-after"]) == (202, "30")
    world.cloud.faults.on(AnswerAfter(status=200, times=1))
    assert (await graph.send(message())).status_code == 200


@pytest.mark.parametrize(
    ("fault", "submitted"),
    [(CutBefore(times=1), 0), (CutMidBody(octets=10, times=1), 0), (CutAfter(times=1), 1)],
)
async def test_a_connection_is_cut(world: World, fault: Fault, submitted: int) -> None:
    graph = await world.user()
    world.cloud.faults.on(fault)
    with pytest.raises(httpx.TransportError):
        await graph.send(message())
    assert len(world.cloud.mailboxes.submitted) == submitted
    assert (await graph.send(message())).status_code == 202


async def test_every_third_answer_is_lost_after_the_mail_was_sent(world: World) -> None:
    graph = await world.user()
    world.cloud.faults.on(CutAfter(every=3, path="/v1.0/me/sendMail"))
    lost = 0
    for _ in range(9):
        try:
            await graph.send(message())
        except httpx.TransportError:
            lost += 1
    assert (lost, len(world.cloud.mailboxes.submitted)) == (3, 9)


async def test_a_fault_can_wait_for_a_certain_message(world: World) -> None:
    graph = await world.user()
    world.cloud.faults.on(Refuse(code="ErrorMessageBlocked", recipient="A@Example.org"))
    world.cloud.faults.on(Refuse(code="ErrorVirusDetected", subject="virus"))
    assert (await graph.send(message("b@example.org"))).status_code == 202
    assert code_of(await graph.send(message("x@y.example, a@example.org"))) == "ErrorMessageBlocked"
    octets = message("b@example.org").replace(b"Test", b"a virus here")
    assert code_of(await graph.send(octets)) == "ErrorVirusDetected"
    assert len(world.cloud.mailboxes.submitted) == 1


async def test_a_fault_can_be_for_one_mailbox(world: World) -> None:
    graph = await world.application("Mail.Send")
    world.cloud.faults.on(Refuse(code="ErrorQuotaExceeded", mailbox="printer@contoso.com"))
    octets = message(sender="printer@contoso.com")
    assert (await graph.send(octets, "printer@contoso.com")).status_code == 507
    assert (await graph.send(message(), "wp@contoso.com")).status_code == 202


async def test_a_token_dies_in_mid_queue(world: World) -> None:
    graph = await world.user()
    world.cloud.faults.on(TokenRefused(times=1))
    answer = await graph.send(message())
    assert (answer.status_code, code_of(answer)) == (401, "InvalidAuthenticationToken")
    assert (await graph.send(message())).status_code == 202


async def test_a_claims_challenge(world: World) -> None:
    graph = await world.user()
    claims = '{"access_token":{"nbf":{"essential":true,"value":"1"}}}'
    world.cloud.faults.on(TokenRefused(claims=claims, times=1))
    challenge = (await graph.send(message())).headers["www-authenticate"]
    assert 'error="insufficient_claims"' in challenge
    assert base64.b64encode(claims.encode()).decode() in challenge
    world.cloud.faults.on(TokenRefused(claims=claims, several_lines=True, times=1))
    first, second = (await graph.send(message())).headers.get_list("www-authenticate")
    assert (first, second.partition(" ")[0]) == (challenge, "PoP")


async def test_a_recipient_that_exchange_does_not_know(world: World) -> None:
    graph = await world.user()
    world.cloud.faults.on(UnknownRecipient(address="gone@contoso.com"))
    answer = await graph.send(message("a@b.example, Gone@contoso.com"))
    assert (answer.status_code, code_of(answer)) == (400, "ErrorInvalidRecipients")
    assert "'Gone@contoso.com'" in answer.json()["error"]["message"]
    assert (await graph.send(message("a@b.example"))).status_code == 202


async def test_a_report_comes_into_the_senders_inbox_after_202(world: World) -> None:
    graph = await world.user()
    world.cloud.faults.on(NonDelivery(recipient="bad@example.org"))
    await graph.send(message("bad@example.org, good@example.org"))
    sender = world.cloud.directory.user("wp@contoso.com")
    assert sender is not None
    (report,) = world.cloud.mailboxes.inbox(sender)
    assert report.via == "report"
    assert world.cloud.mailboxes.submitted[0].received == ("good@example.org",)


async def test_a_header_is_refused_or_dropped(world: World) -> None:
    graph = await world.user()
    octets = message("a@b.example", "X-Job: 7", "X-Other: 8")
    world.cloud.faults.on(HeaderRefused(name="x-job", times=1))
    assert code_of(await graph.send(octets)) == "InvalidInternetMessageHeader"
    world.cloud.faults.on(HeadersDropped(names=("X-Job",), times=1))
    await graph.send(octets)
    world.cloud.faults.on(HeadersDropped(times=1))
    await graph.send(octets)
    one, all_of_them = world.cloud.mailboxes.submitted
    assert one.delivered == octets.replace(b"X-Job: 7\r\n", b"")
    assert all_of_them.delivered == message("a@b.example")


@pytest.mark.parametrize(
    ("what", "before", "after"),
    [
        ("message-id", b"Message-ID: <1@example.org>", b"prod.outlook.com>"),
        ("date", b"Date: Mon, 23 Nov 2026 12:00:00 +0000", b"Date: "),
        ("bcc", b"", b"Bcc: b@b.example"),
        ("letters", b"a=\r\nb", b"a=b"),
    ],
)
async def test_a_message_is_changed_on_its_way(
    world: World,
    what: Literal["message-id", "date", "bcc", "letters"],
    before: bytes,
    after: bytes,
) -> None:
    graph = await world.user()
    octets = message("a@b.example", "Bcc: b@b.example", body="a=\r\nb\r\n")
    world.cloud.faults.on(ChangedInTransport(what=what, times=1))
    await graph.send(octets)
    await graph.send(octets)
    changed, plain = (mail.delivered for mail in world.cloud.mailboxes.submitted)
    assert after in changed
    assert before in plain
    assert not before or before not in changed
    assert after == b"Date: " or after not in plain


async def test_a_report_comes_for_a_domain_that_nobody_can_have(world: World) -> None:
    graph = await world.user()
    await graph.send(message("nobody@graphrelay.invalid, good@example.org"))
    (mail,) = world.cloud.mailboxes.submitted
    assert mail.received == ("good@example.org",)
    assert [one.status for one in mail.bounced] == ["5.4.310"]


async def test_what_an_oversize_request_gets_can_be_switched(world: World) -> None:
    graph = await world.user()
    world.cloud.mailboxes.settings.request_limit = 100
    world.cloud.faults.on(OversizeAnswer(answer="200", times=1))
    assert (await graph.send(message())).status_code == 200
    assert (await graph.send(message())).status_code == 413
    assert world.cloud.mailboxes.submitted == []


@pytest.mark.parametrize("sent", [True, False])
async def test_send_says_not_found_whether_it_was_sent_or_not(world: World, sent: bool) -> None:
    graph = await world.user(scopes=SCOPES)
    identity = await draft(graph)
    world.cloud.faults.on(ItemNotFoundOnSend(sent=sent, times=1))
    answer = await graph.http.post(f"/me/messages/{identity}/send")
    assert (answer.status_code, code_of(answer)) == (404, "ErrorItemNotFound")
    item = (await graph.http.get(f"/me/messages/{identity}")).json()
    assert item["isDraft"] is not sent
    assert len(world.cloud.mailboxes.submitted) == sent


async def test_a_draft_is_stuck_after_202(world: World) -> None:
    graph = await world.user(scopes=SCOPES)
    identity = await draft(graph)
    world.cloud.faults.on(DraftStuck(times=1))
    path = f"/me/messages/{identity}"
    assert (await graph.http.post(f"{path}/send")).status_code == 202
    assert (await graph.http.get(path)).json()["isDraft"] is True
    assert world.cloud.mailboxes.submitted == []
    assert (await graph.http.post(f"{path}/send")).status_code == 202
    assert len(world.cloud.mailboxes.submitted) == 1


async def test_a_sent_draft_is_seen_as_a_draft_for_a_while(world: World) -> None:
    graph = await world.user(scopes=SCOPES)
    identity = await draft(graph)
    world.cloud.faults.on(SlowSentItems(lookups=1))
    await graph.http.post(f"/me/messages/{identity}/send")
    seen = [(await graph.http.get(f"/me/messages/{identity}")).json()["isDraft"] for _ in "12"]
    assert seen == [True, False]


@pytest.mark.parametrize(
    "fault",
    [
        Refuse(code="ErrorServerBusy", form="html", retry_after="1", times=2, recipient="a@b"),
        RefuseAfter(code="UnknownError", every=3),
        TokenRefused(claims="{}"),
        CutMidBody(octets=5),
        UnknownRecipient(address="a@b"),
        HeaderRefused(name="x-a"),
        HeadersDropped(names=("x-a", "x-b")),
        NonDelivery(subject="x"),
        OversizeAnswer(answer="400"),
        ItemNotFoundOnSend(sent=True),
        DraftStuck(),
        SlowSentItems(lookups=3),
        UploadExpired(mailbox="wp@contoso.com"),
        StaleReplica(times=2),
        UploadAddress(address="https://nowhere.example/x"),
    ],
)
def test_every_kind_goes_to_json_and_back(fault: Fault) -> None:
    assert from_json(to_json(fault)) == fault


def test_the_kinds_are_registered_under_their_names(cloud: Sandbox) -> None:
    assert {"refuse", "refuse-after", "cut-mid-body", "draft-stuck", "non-delivery"} <= set(KINDS)
