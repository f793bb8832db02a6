"""Any input from the wire is read without an exception."""

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.graph.http.answer import (
    GraphError,
    HttpAnswer,
    claims_challenge,
    describe,
    read_error,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
NOTHING = GraphError((), "")


def test_an_error_of_exchange_has_no_inner_error() -> None:
    body = b'{"error":{"code":"ErrorSendAsDenied","message":"No., Cannot submit message."}}'
    assert read_error(body) == GraphError(("ErrorSendAsDenied",), "No., Cannot submit message.")


def test_inner_codes_follow_outer_ones_whatever_the_inner_error_is_called() -> None:
    body = b"""{"error": {"code": "TooManyRequests", "message": "Please retry again later.",
               "innerError": {"code": "429", "innererror": {"code": "Deep"}}}}"""
    assert read_error(body).codes == ("TooManyRequests", "429", "Deep")
    assert read_error(body).code == "TooManyRequests"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>502 Bad Gateway</body></html>",
        b"null",
        b"[]",
        b'"error"',
        b'{"error": null}',
        b'{"error": "invalid_request"}',
        b'{"error": {}}',
        b'{"error": {"code": 7, "message": ["x"]}}',
        b'{"error": {"code": "", "innerError": "x"}}',
        b"\xff\xfe\x00",
        b'{"error": {"code": "Cut',
        b"[" * 100_000,
    ],
)
def test_what_is_no_error_of_graph_is_read_as_none(body: bytes) -> None:
    assert read_error(body) == NOTHING


@given(st.binary())
def test_no_octets_break_the_reader(body: bytes) -> None:
    read_error(body)


PLAIN = st.none() | st.text() | st.integers()


@given(st.recursive(PLAIN, st.lists) | st.dictionaries(st.text(), st.text()))
def test_no_json_breaks_the_reader(inner: object) -> None:
    for document in (inner, {"error": inner}, {"error": {"code": inner, "innerError": inner}}):
        error = read_error(json.dumps(document).encode())
        assert all(isinstance(code, str) for code in error.codes)


def test_a_message_is_one_line_of_bounded_length_in_the_log() -> None:
    body = json.dumps({"error": {"code": "x", "message": "a\r\nb\n" + "c" * 9_000}}).encode()
    message = read_error(body).message
    assert message.startswith("a b ccc")
    assert len(message) <= 1_000


def test_a_lone_surrogate_in_a_message_can_be_written_to_a_log() -> None:
    error = read_error(b'{"error": {"code": "x", "message": "a \\ud800 b"}}')
    error.message.encode()


def test_nothing_that_a_terminal_obeys_is_kept_of_a_message() -> None:
    error = read_error(
        json.dumps({"error": {"code": "x", "message": "a\x1b[2J\x9b31m b"}}).encode()
    )
    assert error.message == "a [2J 31m b"


def test_the_answer_keeps_what_support_asks_for() -> None:
    answer = HttpAnswer(503, {"request-id": "abc"}, b'{"error":{"code":"ErrorServerBusy"}}')
    said = describe(answer, read_error(answer.body), "mine")
    assert said.http_status == 503
    assert said.code == "ErrorServerBusy"
    assert said.request_id == "abc"
    assert said.client_request_id == "mine"


# Claims --------------------------------------------------------------------------------------


def challenge(claims: str) -> dict[str, str]:
    return {
        "www-authenticate": 'Bearer realm="", authorization_uri="https://login", '
        f'error="insufficient_claims", claims="{claims}"'
    }


def test_a_claims_challenge_is_decoded() -> None:
    claims = '{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}'
    encoded = base64.b64encode(claims.encode()).decode()
    assert claims_challenge(challenge(encoded)) == claims
    assert claims_challenge(challenge(encoded.rstrip("="))) == claims


@pytest.mark.parametrize("claims", ["!!!", "AAAA", "e30", ""])
def test_a_broken_claims_challenge_is_none(claims: str) -> None:
    assert claims_challenge(challenge(claims)) in (None, "{}")


def test_other_challenges_ask_for_no_claims() -> None:
    assert claims_challenge({}) is None
    assert claims_challenge({"www-authenticate": 'Bearer error="invalid_token"'}) is None


@pytest.mark.parametrize("other", ["Bearer", 'PoP realm="", claims="!!!"'])
def test_the_claims_may_be_in_any_of_several_challenges(other: str) -> None:
    claims = '{"access_token":{}}'
    said = challenge(base64.b64encode(claims.encode()).decode())["www-authenticate"]
    for both in (f"{other}, {said}", f"{said}, {other}"):
        assert claims_challenge({"www-authenticate": both}) == claims
