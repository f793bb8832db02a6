"""Requests in a mailbox: the token they carry, when it is replaced, and where it never goes."""

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.graph.session import Json, Mime, mailbox_path
from graphrelay.model import Delayed, Lane, Paused, Relayed, Trouble
from tests.graph.scripted import (
    LANE,
    Octets,
    Script,
    Tokens,
    Wire,
    answers,
    http,
    scripted,
    session_of,
)

MIME = Mime(Octets(b"Subject: Hello\r\n\r\nHello\r\n"))
PAUSED = Paused(trouble=Trouble.AUTHORIZATION, status="4.7.0", reason="no", remedy="authorize")
UNREACHABLE = Delayed(status="4.4.1", reason="no token could be fetched: timeout")
DENIED = http(403, b'{"error": {"code": "ErrorAccessDenied", "message": "denied"}}')
CLAIMS = '{"access_token":{"nbf":{"essential":true,"value":"1790000000"}}}'


def challenged(*others: str) -> bytes:
    claims = base64.b64encode(CLAIMS.encode()).decode()
    said = f'Bearer error="insufficient_claims", claims="{claims}"'
    lines = (f"WWW-Authenticate: {one}" for one in (said, *others))
    return http(401, b"", "\r\n".join(lines))


def takes(token: str, refusal: bytes = DENIED) -> Script:
    """Graph, which accepts one token and refuses all others."""

    async def script(wire: Wire) -> None:
        while True:
            request = await wire.request()
            taken = request.values("authorization") == [f"Bearer {token}"]
            await wire.say(http(202) if taken else refusal)

    return script


# Tokens --------------------------------------------------------------------------------------


async def test_a_token_that_is_taken_is_all_that_is_needed() -> None:
    async with scripted(takes("old")) as server:
        server.tokens = Tokens(["old", "new"])
        assert isinstance(await (await server.session()).send(MIME), Relayed)
        assert server.tokens.asked == []


@pytest.mark.parametrize("refusal", [DENIED, http(401)])
async def test_a_refused_token_is_replaced_once_and_the_same_request_made_again(
    refusal: bytes,
) -> None:
    async with scripted(takes("new", refusal)) as server:
        server.tokens = Tokens(["old", "new"])
        session = await server.session()
        assert isinstance(await session.send(MIME), Relayed)
        assert server.tokens.asked == [("old", "")]
        first, second = server.heard
        assert first.body == second.body
        assert second.values("client-request-id") == [session.client_request_id]
        await session.send(MIME)
        assert len(server.heard) == 3  # the new token is kept


async def test_two_refusals_pause_the_lane_with_what_to_run() -> None:
    async with scripted(takes("none")) as server:
        server.tokens = Tokens(["old", "new", "newer"])
        outcome = await (await server.session()).send(MIME)
        assert server.tokens.asked == [("old", "")]
        assert len(server.heard) == 2
    assert isinstance(outcome, Paused)
    assert outcome.trouble is Trouble.AUTHORIZATION
    assert outcome.remedy == "graphrelay status website"
    assert outcome.reason == (
        'account "website", mailbox wp@contoso.com: the account may not send through this mailbox'
    )
    assert outcome.answer.http_status == 403


@pytest.mark.parametrize("others", [(), ('PoP realm=""', "Negotiate")])
async def test_what_graph_wants_the_token_to_contain_is_asked_for(others: tuple[str, ...]) -> None:
    """Also where the challenges come in several lines."""
    async with scripted(takes("new", challenged(*others))) as server:
        server.tokens = Tokens(["old", "new"])
        assert isinstance(await (await server.session()).send(MIME), Relayed)
        assert server.tokens.asked == [("old", CLAIMS)]


async def test_a_challenge_that_never_ends_is_given_up() -> None:
    async with scripted(takes("none", challenged())) as server:
        server.tokens = Tokens(["old", "new", "newer"])
        assert isinstance(await (await server.session()).send(MIME), Paused)
        assert len(server.heard) == 2


@pytest.mark.parametrize("without", [PAUSED, UNREACHABLE])
async def test_a_refused_token_that_cannot_be_replaced_says_why(without: Paused | Delayed) -> None:
    async with scripted(takes("none")) as server:
        server.tokens = Tokens(["old", without])
        assert await (await server.session()).send(MIME) == without
        assert len(server.heard) == 1


@pytest.mark.parametrize("without", [PAUSED, UNREACHABLE])
async def test_without_a_token_there_is_no_session(without: Paused | Delayed) -> None:
    async with scripted(answers(http(202))) as server:
        server.tokens = Tokens([without])
        assert await server.graph().session(LANE) == without
        assert server.heard == []


async def test_a_denial_may_count_at_once_where_a_refused_token_does_not() -> None:
    async with scripted(takes("new", DENIED)) as server:
        server.tokens = Tokens(["old", "new"])
        session = await server.session()
        reply = await session.request("GET", "/me/messages", denial_counts=True)
        assert (reply.status, server.tokens.asked) == (403, [])
    async with scripted(takes("new", http(401))) as server:
        server.tokens = Tokens(["old", "new"])
        session = await server.session()
        reply = await session.request("GET", "/me/messages", denial_counts=True)
        assert (reply.status, server.tokens.asked) == (202, [("old", "")])


async def test_each_session_has_an_id_of_its_own() -> None:
    async with scripted(answers(http(202))) as server:
        graph = server.graph()
        first, second = await session_of(graph), await session_of(graph)
        assert first.client_request_id != second.client_request_id


# Mailboxes -----------------------------------------------------------------------------------


async def test_the_users_own_mailbox_is_me_and_others_are_named() -> None:
    async with scripted(answers(http(202))) as server:
        graph = server.graph()
        assert (await session_of(graph)).mailbox == "/me"
        info = replace(LANE, mailbox="info@contoso.com")
        assert (await session_of(graph, info)).mailbox == "/users/info@contoso.com"


async def test_another_mailbox_is_one_path_segment() -> None:
    async with scripted(answers(http(202))) as server:
        session = await session_of(server.graph(), Lane("website", "a/../b?c#d@x.com"))
        await session.send(MIME)
    expected = "POST /v1.0/users/a%2F..%2Fb%3Fc%23d@x.com/sendMail HTTP/1.1"
    assert server.heard[0].request_line == expected


@given(st.text(min_size=1))
def test_no_address_can_be_more_than_one_segment(address: str) -> None:
    try:
        path = mailbox_path(address)
    except ValueError:
        return
    prefix, users, segment = path.split("/")
    assert (prefix, users) == ("", "users")
    assert segment.strip(".")
    assert not set(segment) & set("?#;\\ \r\n")
    path.encode("ascii")


@pytest.mark.parametrize("address", ["", ".", "..", "a\r\nHost: evil@x.com", "a\0@x.com"])
def test_what_cannot_be_a_mailbox_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name"):
        mailbox_path(address)


# Uploads -------------------------------------------------------------------------------------


async def test_json_goes_as_it_is() -> None:
    async with scripted(answers(http(201))) as server:
        session = await server.session()
        reply = await session.request("POST", "/me/messages", Json(Octets(b'{"subject":"x"}')))
        assert reply.status == 201
        (heard,) = server.heard
        assert heard.values("content-type") == ["application/json"]
        assert heard.body == b'{"subject":"x"}'


async def test_a_piece_goes_to_the_address_that_graph_named_and_without_the_token() -> None:
    async with scripted(answers(http(200))) as graph, scripted(answers(http(201))) as elsewhere:
        graph.tokens = Tokens(["secret"])
        session = await graph.session()
        await session.request("POST", "/me/messages")
        url = f"https://localhost:{elsewhere.port}/api/Sessions('x')?authtoken=abc"
        reply = await session.upload("PUT", url, "bytes 3-6/10", Octets(b"1234"))
        assert reply.status == 201
        (heard,) = elsewhere.heard
        assert heard.request_line == "PUT /api/Sessions('x')?authtoken=abc HTTP/1.1"
        assert heard.values("content-range") == ["bytes 3-6/10"]
        assert heard.values("content-length") == ["4"]
        assert heard.body == b"1234"
        assert b"authorization" not in heard.head.lower()
        assert b"secret" not in heard.head
        assert len(graph.heard) == 1
        assert session.take_spent() == (2, 4)


async def test_a_refusal_of_a_piece_does_not_replace_the_token() -> None:
    async with scripted(answers(http(401))) as server:
        session = await server.session()
        url = f"https://localhost:{server.port}/x?authtoken=abc"
        reply = await session.upload("PUT", url, "bytes 0-3/4", Octets(b"1234"))
        assert reply.status == 401
        assert server.tokens.asked == []
        assert len(server.heard) == 1


@pytest.mark.parametrize(
    "url",
    ["http://localhost/x", "https://", "", "https://x@localhost/x", "https://localhost/a b",
     "https://localhost/\u00e9", "file:///etc/passwd", "https://localhost:99999999/x",
        "https://localhost:99999/x",
        "https://localhost:0/x",
        "https://a..b/x",
        "https://./x",
        f"https://{'a' * 64}.example/x",
        f"https://{'a.' * 127}example/x",
        "https://localhost/" + "x" * 200_000,
    ],
)  # fmt: skip
async def test_nothing_is_sent_to_an_address_that_is_not_valid(url: str) -> None:
    async with scripted(answers(http(200))) as server:
        session = await server.session()
        reply = await session.upload("PUT", url, "bytes 0-3/4", Octets(b"1234"))
        assert isinstance(reply.outcome, Delayed)
        assert reply.answer is None
        assert server.heard == []
