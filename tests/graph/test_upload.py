"""Requests to upload sessions, which are at another host and carry their own authorization."""

import pytest

from graphrelay.graph.client import Call, Upload
from graphrelay.graph.http.answer import HttpAnswer
from graphrelay.graph.http.exchange import NotSent
from tests.graph.scripted import Octets, answers, http, scripted

CALL = Call("POST", "/me/messages", "secret", "c")


async def test_json_goes_as_it_is() -> None:
    async with scripted(answers(http(201))) as server:
        result = await server.client().call_with_json(CALL, Octets(b'{"subject":"x"}'))
        assert isinstance(result, HttpAnswer)
        assert result.status == 201
        (heard,) = server.heard
        assert heard.values("content-type") == ["application/json"]
        assert heard.body == b'{"subject":"x"}'


async def test_a_piece_goes_to_the_address_that_graph_named_and_without_the_token() -> None:
    async with scripted(answers(http(200))) as graph, scripted(answers(http(201))) as elsewhere:
        client = graph.client()
        await client.call(CALL)
        url = f"https://localhost:{elsewhere.port}/api/Sessions('x')?authtoken=abc"
        result = await client.upload(Upload("PUT", url, "bytes 3-6/10"), Octets(b"1234"))
        assert isinstance(result, HttpAnswer)
        assert result.status == 201
        (heard,) = elsewhere.heard
        assert heard.request_line == "PUT /api/Sessions('x')?authtoken=abc HTTP/1.1"
        assert heard.values("content-range") == ["bytes 3-6/10"]
        assert heard.values("content-length") == ["4"]
        assert heard.body == b"1234"
        assert b"authorization" not in heard.head.lower()
        assert b"secret" not in heard.head
        assert len(graph.heard) == 1
        assert client.take_spent() == (2, 4)
        client.close()


@pytest.mark.parametrize(
    "url",
    ["http://localhost/x", "https://", "", "https://x@localhost/x", "https://localhost/a b",
     "https://localhost/\u00e9", "file:///etc/passwd", "https://localhost:99999999/x",
     "https://localhost:99999/x", "https://localhost:0/x", "https://a..b/x", "https://./x",
     f"https://{'a' * 64}.example/x", f"https://{'a.' * 127}example/x",
     "https://localhost/" + "x" * 200_000],
)  # fmt: skip
async def test_what_is_no_address_to_send_mail_to_gets_none(url: str) -> None:
    async with scripted(answers(http(200))) as server:
        result = await server.client().upload(Upload("PUT", url, "bytes 0-3/4"), Octets(b"1234"))
        assert isinstance(result, NotSent)
        assert server.heard == []


def test_the_address_of_a_session_is_not_shown() -> None:
    assert "abc" not in repr(Upload("PUT", "https://localhost/x?authtoken=abc"))
