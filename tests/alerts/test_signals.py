"""What an event means for the alerts, by its type."""

import pytest

from graphrelay.alerts.alert import LONGEST, AlertKind
from graphrelay.alerts.signals import SPOOL, Cleared, MessageFailed, Raised, signals
from graphrelay.journal import events
from graphrelay.journal.event import Event
from graphrelay.model import Failed, Trouble
from tests.alerts.story import paused, resumed, unauthorized
from tests.relay.delivery import submission

LANE = "website/wp@contoso.com"


def test_a_lane_that_is_paused_for_its_authorization_is_trouble_of_its_account() -> None:
    assert list(signals(paused(trouble=Trouble.AUTHORIZATION))) == [
        Cleared(AlertKind.PAUSED, LANE, ""),
        Raised(
            AlertKind.AUTHORIZATION,
            "website",
            "wp@contoso.com",
            'account "website" is not authorized: Because',
            "Wait.",
        ),
    ]


def test_a_lane_that_is_paused_for_anything_else_is_trouble_of_the_lane() -> None:
    cleared, raised = signals(paused(trouble=Trouble.BLOCKED))
    assert cleared == Cleared(AlertKind.AUTHORIZATION, "website", "wp@contoso.com")
    text = f"the mail of {LANE} is paused (blocked): Because"
    assert raised == Raised(AlertKind.PAUSED, LANE, "", text, "Wait.")


def test_a_lane_that_resumes_clears_both() -> None:
    assert set(signals(resumed())) == {
        Cleared(AlertKind.AUTHORIZATION, "website", "wp@contoso.com"),
        Cleared(AlertKind.PAUSED, LANE, ""),
    }


def test_a_bare_command_becomes_a_sentence() -> None:
    (raised,) = signals(unauthorized())
    assert isinstance(raised, Raised)
    assert raised.remedy == "Run: graphrelay authorize website"


@pytest.mark.parametrize(
    "event",
    [
        events.Failed(submission(1), Failed(status="5.1.1", reason="No such mailbox.")),
        events.Bounced("4QX7K2M9", "a@x", "5.1.1", "No such mailbox.", "wp@contoso.com"),
    ],
)
def test_a_message_failed_whether_graph_or_a_report_says_so(event: Event) -> None:
    assert list(signals(event)) == [MessageFailed("5.1.1 No such mailbox")]


def test_each_trouble_with_the_spool_is_a_member_of_one_subject() -> None:
    (raised,) = signals(events.QueueNotRead("disk I/O error"))
    text = "the queue cannot be read: disk I/O error"
    assert raised == Raised(AlertKind.SPOOL, "", "queue-not-read", text)
    assert len(set(SPOOL)) == len({event.name for event in SPOOL})


def test_a_text_of_somebody_else_is_one_line_of_bounded_length() -> None:
    (raised,) = signals(events.CredentialEnds("a", "ends\r\n\x1b[31msoon" + "x" * 1000))
    assert isinstance(raised, Raised)
    assert raised.text.isprintable()
    assert len(raised.text) <= LONGEST + len('account "a": ')


@pytest.mark.parametrize(
    "event",
    [
        events.Attempt(submission(1), 1),
        events.Listening("127.0.0.1:2525", "off", "off"),
        events.Alert("raised", "queue", "x"),
        events.AlertNotSent("webhook", "queue", "x"),
    ],
)
def test_other_events_mean_nothing(event: Event) -> None:
    assert list(signals(event)) == []
