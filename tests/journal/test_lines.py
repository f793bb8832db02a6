"""An entry as a line, as people and programs read it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest

from graphrelay.journal import Journal, events, stream_sink
from graphrelay.model import (
    Address,
    Answer,
    Delayed,
    Envelope,
    InlineBody,
    Lane,
    Origin,
    Paused,
    Plan,
    Submission,
    Trouble,
)
from tests.clock import FakeClock

LANE = Lane("site", "wp@contoso.com")
SUBMISSION = Submission(
    id=1,
    queue_id="4QX7K2M9",
    envelope=Envelope(Address("wp", "contoso.com"), (Address("a", "example.org"),)),
    origin=Origin("127.0.0.1:2525", "127.0.0.1"),
    plan=Plan(route="default", lane=LANE),
    received_at=datetime(2026, 11, 23, tzinfo=UTC),
    message_id="<1@contoso.com>",
    prefix=b"",
    body=InlineBody(b"Subject: secret plans\r\n\r\n"),
    attempts=0,
)


def test_an_event_is_one_line_with_the_time_the_event_and_the_queue_id() -> None:
    lines: list[str] = []
    journal = Journal(FakeClock(), stream_sink(lines.append))
    journal.write(
        events.Accepted(
            "4QX7K2M9",
            None,
            [Address("a", "example.org"), Address("b", "example.org")],
            SUBMISSION.origin,
            size=2310,
            message_id="<1@contoso.com>",
        )
    )
    assert lines == [
        "2026-11-23T12:00:00Z accepted 4QX7K2M9 sender=<> "
        "recipients=<a@example.org>,<b@example.org> size=2310 client=127.0.0.1 "
        "listener=127.0.0.1:2525 message_id=<1@contoso.com>\n"
    ]


def test_a_sentence_is_quoted_and_cannot_break_the_line() -> None:
    lines: list[str] = []
    journal = Journal(FakeClock(), stream_sink(lines.append))
    outcome = Delayed(
        status="4.7.0",
        reason='told to wait\n2026-11-23T12:00:00Z accepted FAKE "x"',
        retry_after=timedelta(seconds=2),
        answer=Answer(http_status=429, code="TooManyRequests"),
    )
    journal.write(events.Delayed(SUBMISSION, outcome, datetime(2026, 11, 23, 13, tzinfo=UTC)))
    assert len(lines) == 1
    assert lines[0].count("\n") == 1
    assert r'reason="told to wait\n2026-11-23T12:00:00Z accepted FAKE \"x\""' in lines[0]
    assert "until=2026-11-23T13:00:00+00:00" in lines[0]


@pytest.mark.parametrize("style", ["text", "json"])
def test_nothing_that_a_terminal_obeys_gets_into_the_log(style: Literal["text", "json"]) -> None:
    """Controls beyond ASCII (CSI is U+009B), ends of lines, changes of direction; half of a
    surrogate pair, which no log can encode, is escaped as well."""
    lines: list[str] = []
    sender = "<a\x1b[2J\x9b31m\x7f\u2028b\u202ec\ud800>"
    journal = Journal(FakeClock(), stream_sink(lines.append, style))
    journal.write(events.Refused(SUBMISSION.origin, "MAIL", "550 No", sender=sender))
    assert lines[0].removesuffix("\n").isprintable()
    assert r"<a\u001b[2J\u009b31m\u007f\u2028b\u202ec\ud800>" in lines[0]


def test_json_says_the_same_as_the_text() -> None:
    lines: list[str] = []
    journal = Journal(FakeClock(), stream_sink(lines.append, "json"))
    journal.write(
        events.Paused(
            LANE,
            Paused(
                trouble=Trouble.AUTHORIZATION,
                status="4.7.0",
                reason="the refresh token expired",
                remedy="graphrelay authorize site",
            ),
            None,
        )
    )
    assert json.loads(lines[0]) == {
        "time": "2026-11-23T12:00:00+00:00",
        "level": "error",
        "event": "paused",
        "account": "site",
        "mailbox": "wp@contoso.com",
        "trouble": "authorization",
        "status": "4.7.0",
        "reason": "the refresh token expired",
        "remedy": "graphrelay authorize site",
        "until": None,
        "http": None,
        "code": None,
    }


def test_no_line_holds_the_body() -> None:
    lines: list[str] = []
    text = stream_sink(lines.append, "text", "debug")
    journal = Journal(FakeClock(), text, stream_sink(lines.append, "json", "debug"))
    journal.write(events.Attempt(SUBMISSION, 1))
    journal.write(events.Held("4QX7K2M9", "by hand"))
    assert len(lines) == 4
    assert not any("secret plans" in line for line in lines)


def test_an_ordinary_message_has_a_line_when_it_comes_and_one_when_it_has_gone() -> None:
    lines: list[str] = []
    journal = Journal(FakeClock(), stream_sink(lines.append))
    journal.write(events.Attempt(SUBMISSION, 1))
    assert lines == []
