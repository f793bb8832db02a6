"""Messages in a mailbox: what each answer means for whether mail was sent."""

import json
from datetime import UTC, datetime
from urllib.parse import unquote

import pytest

from graphrelay.graph import drafts
from graphrelay.graph.drafts import Copy, Drafted, MayNotLook, Seen
from graphrelay.graph.session import Json, Mime
from graphrelay.model import Delayed, Paused, Relayed, Uncertain
from tests.graph.scripted import Octets, Script, Wire, answers, http, scripted

MIME = Mime(Octets(b"Subject: Hello\r\n\r\nHello\r\n"))
DENIED = b'{"error": {"code": "ErrorAccessDenied", "message": "denied"}}'
NOT_FOUND = b'{"error": {"code": "ErrorItemNotFound", "message": "gone"}}'


def cut_after_the_request() -> Script:
    async def script(wire: Wire) -> None:
        await wire.request()
        wire.cut()

    return script


def item(**more: object) -> dict[str, object]:
    people = [{"emailAddress": {"address": "You@Example.org"}}]
    known = {"id": "A=", "isDraft": False, "createdDateTime": "2026-11-23T12:00:00Z"}
    return known | {"toRecipients": people} | more


COPY = Copy(
    id="A=",
    is_draft=False,
    created_at=datetime(2026, 11, 23, 12, 0, tzinfo=UTC),
    recipients=frozenset({"you@example.org"}),
)


# Creating and sending ------------------------------------------------------------------------


@pytest.mark.parametrize("content", [MIME, Json(Octets(b"{}"))])
async def test_a_draft_is_known_by_its_id(content: Mime | Json) -> None:
    async with scripted(answers(http(201, b'{"id": "A="}'))) as server:
        assert await drafts.create(await server.session(), content) == Drafted("A=")
    assert server.heard[0].request_line == "POST /v1.0/me/messages HTTP/1.1"


@pytest.mark.parametrize("body", [b"", b"{}", b'{"id": 7}', b"[]", b"\xff"])
async def test_a_draft_whose_id_is_not_returned_is_delayed(body: bytes) -> None:
    async with scripted(answers(http(201, body))) as server:
        assert isinstance(await drafts.create(await server.session(), MIME), Delayed)


async def test_a_lost_answer_is_uncertain_for_sending_and_not_for_creating() -> None:
    async with scripted(cut_after_the_request()) as server:
        assert isinstance(await drafts.create(await server.session(), MIME), Delayed)
        sent = await drafts.send(await server.session(), "A=")
    assert isinstance(sent, Uncertain)
    assert sent.draft == "A="


async def test_a_draft_that_is_gone_may_have_been_sent() -> None:
    async with scripted(answers(http(404, NOT_FOUND))) as server:
        sent = await drafts.send(await server.session(), "A=")
    assert isinstance(sent, Uncertain)
    assert sent.draft == "A="


async def test_an_id_is_one_segment_of_the_path() -> None:
    async with scripted(answers(http(202))) as server:
        assert isinstance(await drafts.send(await server.session(), "a/b?c=#"), Relayed)
    assert server.heard[0].request_line == ("POST /v1.0/me/messages/a%2Fb%3Fc%3D%23/send HTTP/1.1")


@pytest.mark.parametrize(("status", "gone"), [(204, True), (404, True), (503, False), (423, False)])
async def test_a_draft_is_deleted_or_not(status: int, gone: bool) -> None:
    async with scripted(answers(http(status))) as server:
        assert await drafts.delete(await server.session(), "A=") is gone


# Looking -------------------------------------------------------------------------------------


async def test_a_message_is_found_by_its_id() -> None:
    async with scripted(answers(http(200, json.dumps(item()).encode()))) as server:
        assert await drafts.look_at(await server.session(), "A=") == Seen((COPY,))


async def test_messages_are_found_by_their_message_id_with_its_quotes_doubled() -> None:
    body = json.dumps({"value": [item(), "nonsense", {"id": 7}, item(isDraft=True)]}).encode()
    async with scripted(answers(http(200, body))) as server:
        seen = await drafts.find(await server.session(), "<it's@contoso.com>")
    assert isinstance(seen, Seen)
    assert [copy.is_draft for copy in seen.copies] == [False, True]
    assert "internetMessageId eq '<it''s@contoso.com>'" in unquote(server.heard[0].request_line)


async def test_a_message_that_is_not_there_is_seen_to_be_missing() -> None:
    async with scripted(answers(http(404, NOT_FOUND))) as server:
        assert await drafts.look_at(await server.session(), "A=") == Seen(())
        assert isinstance(await drafts.find(await server.session(), "<1@x>"), Delayed)


async def test_an_account_that_may_not_read_is_distinguished_from_a_token_that_is_refused() -> None:
    async with scripted(answers(http(403, DENIED))) as server:
        assert await drafts.look_at(await server.session(), "A=") == MayNotLook()
        assert await drafts.find(await server.session(), "<1@x>") == MayNotLook()
    async with scripted(answers(http(401))) as server:
        assert isinstance(await drafts.look_at(await server.session(), "A="), Paused)


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_a_look_that_fails_is_delayed_and_never_uncertain(status: int) -> None:
    async with scripted(answers(http(status))) as server:
        assert isinstance(await drafts.look_at(await server.session(), "A="), Delayed)


@pytest.mark.parametrize("created", ["yesterday", None, 7, "2026-11-23T12:00:00"])
async def test_a_date_that_cannot_be_read_never_settles_a_doubt(created: object) -> None:
    body = json.dumps(item(createdDateTime=created)).encode()
    async with scripted(answers(http(200, body))) as server:
        seen = await drafts.look_at(await server.session(), "A=")
    assert isinstance(seen, Seen)
    expected = COPY.created_at if created == "2026-11-23T12:00:00" else None
    assert seen.copies[0].created_at == (expected or datetime.min.replace(tzinfo=UTC))


async def test_only_the_status_of_success_counts() -> None:
    async with scripted(answers(http(200, b'{"id": "A="}'))) as server:
        assert isinstance(await drafts.create(await server.session(), MIME), Delayed)
    async with scripted(answers(http(200))) as server:
        sent = await drafts.send(await server.session(), "A=")
    assert isinstance(sent, Uncertain)
    assert sent.draft == "A="
