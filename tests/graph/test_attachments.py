"""Attachments of a draft: what each answer says about where the next piece begins."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from graphrelay.graph import attachments
from graphrelay.graph.attachments import (
    Attached,
    NextPiece,
    UploadClosed,
    UploadHostUnreachable,
    UploadSession,
    WrongSize,
)
from graphrelay.model import Delayed, Failed, Paused
from tests.graph.scripted import Octets, Scripted, Wire, answers, http, scripted

PIECE = Octets(b"1234")


def error(code: str) -> bytes:
    return json.dumps({"error": {"code": code, "message": "text"}}).encode()


def url_at(server: Scripted) -> str:
    return f"https://localhost:{server.port}/upload?authtoken=abc"


@pytest.mark.parametrize(
    ("body", "at"),
    [
        (b'{"nextExpectedRanges": ["7"]}', 7),
        (b'{"nextExpectedRanges": ["7-"]}', 7),
        (b'{"nextExpectedRanges": ["7-9"]}', 7),
        (b'{"nextExpectedRanges": []}', 6),
        (b'{"nextExpectedRanges": ["x", 3, "99999999999999"]}', 6),
        (b'{"nextExpectedRanges": 7}', 6),
        (b"nonsense", 6),
        (b"[]", 6),
    ],
)
async def test_the_answer_says_where_the_next_piece_begins(body: bytes, at: int) -> None:
    async with scripted(answers(http(200, body))) as server:
        session = await server.session()
        assert await attachments.put(session, url_at(server), 2, 10, PIECE) == NextPiece(at)
    assert server.heard[0].values("content-range") == ["bytes 2-5/10"]


async def test_the_last_piece_attaches_the_whole() -> None:
    async with scripted(answers(http(201))) as server:
        session = await server.session()
        assert await attachments.put(session, url_at(server), 6, 10, PIECE) == Attached()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 416])
async def test_a_refused_piece_closes_the_upload(status: int) -> None:
    async with scripted(answers(http(status, error("Gone")))) as server:
        session = await server.session()
        assert await attachments.put(session, url_at(server), 0, 10, PIECE) == UploadClosed("Gone")
        assert server.tokens.asked == []


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
async def test_a_busy_server_delays_the_piece(status: int) -> None:
    async with scripted(answers(http(status, b"", "Retry-After: 7"))) as server:
        session = await server.session()
        found = await attachments.put(session, url_at(server), 0, 10, PIECE)
    assert isinstance(found, Delayed)
    assert found.retry_after == timedelta(seconds=7)


async def test_a_host_that_cannot_be_reached_is_distinguished_from_a_lost_answer() -> None:
    async def cut(wire: Wire) -> None:
        await wire.request()
        wire.cut()

    nowhere = "https://no-such-host.invalid/upload"
    async with scripted(cut) as server:
        session = await server.session()
        found = await attachments.put(session, nowhere, 0, 10, PIECE)
        lost = await attachments.put(session, url_at(server), 0, 10, PIECE)
    assert isinstance(found, UploadHostUnreachable)
    assert isinstance(lost, Delayed)
    assert found.outcome.reason.startswith("a piece of an attachment: ")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (413, "RequestEntityTooLarge"),
        (400, "ErrorAttachmentSizeShouldNotBeLessThanMinimumSize"),
        (400, "BadRequest"),
    ],
)
async def test_a_size_that_graph_refuses_may_go_the_other_way(status: int, code: str) -> None:
    async with scripted(answers(http(status, error(code)))) as server:
        session = await server.session()
        assert isinstance(await attachments.attach(session, "A=", PIECE), WrongSize)
        assert isinstance(await attachments.open_upload(session, "A=", PIECE), WrongSize)


async def test_other_refusals_are_outcomes() -> None:
    async with scripted(answers(http(400, error("ErrorInvalidRecipients")))) as server:
        session = await server.session()
        assert isinstance(await attachments.attach(session, "A=", PIECE), Failed)
    async with scripted(answers(http(403, error("ErrorAccessDenied")))) as server:
        session = await server.session()
        assert isinstance(await attachments.open_upload(session, "A=", PIECE), Paused)


@pytest.mark.parametrize(
    ("said", "expires_at"),
    [
        ("2026-11-23T12:00:00Z", datetime(2026, 11, 23, 12, 0, tzinfo=UTC)),
        ("2026-11-23T12:00:00", None),
        ("soon", None),
        (7, None),
    ],
)
async def test_an_upload_session_is_known_by_its_url_which_is_not_shown(
    said: object, expires_at: datetime | None
) -> None:
    document = {"uploadUrl": "https://localhost/x?authtoken=abc", "expirationDateTime": said}
    async with scripted(answers(http(201, json.dumps(document).encode()))) as server:
        opened = await attachments.open_upload(await server.session(), "A=", PIECE)
    assert opened == UploadSession("https://localhost/x?authtoken=abc", expires_at)
    assert "abc" not in repr(opened)


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b'{"uploadUrl": ""}', b'{"uploadUrl": 7}', b'{"uploadUrl": "http://localhost/x"}'],
)
async def test_an_upload_session_without_a_url_is_delayed(body: bytes) -> None:
    async with scripted(answers(http(201, body))) as server:
        opened = await attachments.open_upload(await server.session(), "A=", PIECE)
    assert isinstance(opened, Delayed)


async def test_attachments_are_counted_over_all_pages_at_graphs_own_host() -> None:
    following = "https://elsewhere.example/v1.0/me/messages/A=/attachments?$skip=2"
    pages = (
        http(200, json.dumps({"value": [1, 2], "@odata.nextLink": following}).encode()),
        http(200, json.dumps({"value": [3]}).encode()),
    )
    async with scripted(answers(*pages)) as server:
        assert await attachments.count(await server.session(), "A=") == 3
    assert server.heard[1].request_line == "GET /v1.0/me/messages/A=/attachments?$skip=2 HTTP/1.1"


@pytest.mark.parametrize(
    "page", [{}, {"value": 7}, {"value": [], "@odata.nextLink": "https://x/v1.0/a b"}]
)
async def test_a_list_that_is_not_complete_is_delayed(page: dict[str, object]) -> None:
    async with scripted(answers(http(200, json.dumps(page).encode()))) as server:
        assert isinstance(await attachments.count(await server.session(), "A="), Delayed)
