"""What happened, counted; and a bounded number of labels, whatever strangers send."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from graphrelay import model
from graphrelay.console.metrics.counts import MOST_CODES, Counts
from graphrelay.journal import Entry, events
from graphrelay.journal.event import Event
from graphrelay.model import Answer, Lane, Origin, Submission, Trouble
from tests.spool.mail import plan

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ORIGIN = Origin(listener="127.0.0.1:2525", client="192.0.2.7")


def submission() -> Submission:
    return Submission(
        id=1,
        queue_id="X",
        envelope=model.Envelope(None, ()),
        origin=ORIGIN,
        plan=plan(),
        received_at=NOON,
        message_id="<m>",
        prefix=b"",
        body=SimpleNamespace(size=1_000),
        attempts=0,
    )


def counted(*what: Event) -> Counts:
    counts = Counts()
    for event in what:
        counts.hear(Entry(NOON + timedelta(seconds=3), event))
    return counts


def test_what_was_accepted_is_counted_by_listener() -> None:
    accepted = events.Accepted("X", None, (), ORIGIN, 1_000, "<m>")
    counts = counted(accepted, accepted)
    assert dict(counts.accepted) == {"127.0.0.1:2525": 2}
    assert counts.octets == 2_000


def test_what_was_refused_is_counted_once_whether_or_not_it_was_a_line() -> None:
    counts = counted(
        events.RefusedAgain(ORIGIN, "RCPT", "550 5.7.1 no route"),
        events.Refused(ORIGIN, "RCPT", "550 5.7.1 no route", before=1),
        events.Refused(ORIGIN, "X-ANYTHING", "odd"),
    )
    assert dict(counts.refused) == {
        ("RCPT", "550", "5.7.1"): 2,
        ("other", "other", "none"): 1,
    }


def test_the_reason_of_a_refusal_is_its_enhanced_status_code_and_nothing_longer() -> None:
    replies = ("452 4.3.1 Full", "535-5.7.8 no", "500 What?", "550 5.7.1.2.3 x", "250", "5.7.1 x")
    counts = counted(*(events.Refused(ORIGIN, "MAIL", reply) for reply in replies))
    assert set(counts.refused) == {
        ("MAIL", "452", "4.3.1"),
        ("MAIL", "535", "5.7.8"),
        ("MAIL", "500", "none"),
        ("MAIL", "550", "none"),
        ("MAIL", "250", "none"),
        ("MAIL", "other", "none"),
    }


def test_attempts_are_counted_by_what_came_of_them() -> None:
    answer = Answer(http_status=202)
    throttled = Answer(http_status=429, code="ApplicationThrottled")
    lost = Answer()
    lane = Lane("website", "wp@contoso.com")
    counts = counted(
        events.Relayed(submission(), model.Relayed(answer=answer), timedelta(seconds=0.3)),
        events.Delayed(
            submission(), model.Delayed(status="4.3.2", reason="r", answer=throttled), NOON
        ),
        events.Failed(submission(), model.Failed(status="5.1.1", reason="r", answer=throttled)),
        events.Uncertain(submission(), model.Uncertain(reason="r", answer=lost), "retry"),
        events.Paused(
            lane,
            model.Paused(
                trouble=Trouble.QUOTA, status="4.2.2", reason="r", remedy="", answer=throttled
            ),
            None,
        ),
    )
    account = plan().lane.account
    assert dict(counts.attempts) == {
        (account, "relayed", "202", "none"): 1,
        (account, "delayed", "429", "ApplicationThrottled"): 1,
        (account, "failed", "429", "ApplicationThrottled"): 1,
        (account, "uncertain", "none", "none"): 1,
        ("website", "paused", "429", "ApplicationThrottled"): 1,
    }
    assert (counts.relayed[account], counts.relayed_octets[account]) == (1, submission().size)
    assert counts.submitting.read()[1] == 0.3
    assert counts.under_way.read()[1] == 3


def test_codes_beyond_a_limit_are_one_label() -> None:
    counts = Counts()
    for number in range(MOST_CODES + 20):
        answer = Answer(http_status=400, code=f"Code{number}")
        failed = model.Failed(status="5.0.0", reason="r", answer=answer)
        counts.hear(Entry(NOON, events.Failed(submission(), failed)))
    assert len(counts.attempts) == MOST_CODES + 1
    assert counts.attempts[plan().lane.account, "failed", "400", "other"] == 20
