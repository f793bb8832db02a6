"""What a run keeps of its requests."""

import pytest
from yarl import URL

from graphrelay.doctor.record import LONGEST, Record
from graphrelay.doctor.redaction import Redactor
from graphrelay.graph.http.answer import HttpAnswer
from graphrelay.graph.http.exchange import Lost, NotSent, Request
from tests.clock import FakeClock

REQUEST = Request("POST", URL("https://graph.example/v1.0/users/wp@contoso.com/sendMail"), {}, 70)


def record() -> Record:
    return Record(Redactor(), FakeClock(), "path-upn")


def test_an_answer_is_kept_with_what_support_asks_for() -> None:
    kept = record()
    body = b'{"error": {"code": "ErrorInvalidUser", "message": "user wp@contoso.com"}}'
    answer = HttpAnswer(404, {"request-id": "7-8", "set-cookie": "a=b"}, body)
    kept.add(REQUEST, answer, kept.clock.now(), 0.1234)
    (entry,) = kept.entries
    assert (entry["check"], entry["method"], entry["octets"]) == ("path-upn", "POST", 70)
    assert (entry["status"], entry["codes"]) == (404, ["ErrorInvalidUser"])
    assert entry["milliseconds"] == 123
    assert entry["headers"] == {"request-id": "7-8", "set-cookie": "…"}
    assert "contoso" not in str(entry)


@pytest.mark.parametrize("result", [NotSent("no way to wp@contoso.com"), Lost("wp@contoso.com")])
def test_a_lost_answer_is_kept_with_its_reason(result: NotSent | Lost) -> None:
    kept = record()
    kept.add(REQUEST, result, kept.clock.now(), 1)
    assert kept.entries[0]["status"] == 0
    assert "address-" in kept.entries[0]["lost"]


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"Subject: secret\r\n\r\n", "(19 octets)"),
        (b'"' + b"a b " * LONGEST + b'"', f"({4 * LONGEST + 2} octets of JSON)"),
        (b"", "(0 octets)"),
        (b'{"a": 1}', {"a": 1}),
    ],
)
def test_only_json_is_kept_and_only_as_much_as_can_be_read(body: bytes, shown: object) -> None:
    kept = record()
    kept.add(REQUEST, HttpAnswer(200, {}, body), kept.clock.now(), 1)
    assert kept.entries[0]["body"] == shown


def test_a_note_is_redacted_too() -> None:
    kept = record()
    kept.note(answer={"access_token": "short", "scope": "a@b.example"})
    assert kept.entries[0]["answer"]["access_token"] == "(5 characters)"
    assert "b.example" not in str(kept.entries)
