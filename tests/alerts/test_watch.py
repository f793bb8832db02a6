"""What is reported, and when: one alert for a cause, limited, with an all-clear."""

from collections.abc import Iterable
from datetime import timedelta

from graphrelay.alerts.alert import Alert, AlertKind, State
from graphrelay.alerts.watch import Figures, SpoolUnreadable
from graphrelay.journal import events
from graphrelay.journal.event import Event
from graphrelay.model import Failed, Trouble
from tests.alerts.story import FINE, NOON, Story, paused, resumed, unauthorized
from tests.relay.delivery import submission


def failed(reason: str) -> Event:
    return events.Failed(submission(1), Failed(status="5.1.1", reason=reason))


def bounced(reason: str) -> Event:
    return events.Bounced("4QX7K2M9", "a@example.org", "5.1.1", reason, "wp@contoso.com")


def kinds(alerts: Iterable[Alert]) -> list[tuple[str, str]]:
    return [(alert.kind.value, alert.state.value) for alert in alerts]


def test_a_thousand_events_about_one_cause_are_one_alert() -> None:
    story = Story()
    for _ in range(1000):
        story.hear(unauthorized())
    (alert,) = story.during(hours=1)
    assert kinds([alert]) == [("authorization", "raised")]
    (cause,) = alert.causes
    assert (cause.subject, cause.count) == ("website", 1000)
    assert "The token was revoked. Run: graphrelay authorize website" in alert.sentence


def test_all_lanes_of_an_account_without_authorization_are_one_cause() -> None:
    story = Story()
    story.hear(
        unauthorized(), *(paused(f"m{n}@contoso.com", Trouble.AUTHORIZATION) for n in range(50))
    )
    (alert,) = story.during(minutes=30)
    assert len(alert.causes) == 1


def test_causes_of_a_kind_that_arise_together_are_reported_together() -> None:
    story = Story()
    story.hear(*(paused(f"m{n}@contoso.com") for n in range(12)))
    (alert,) = story.during(minutes=30)
    assert len(alert.causes) == 12
    assert "and 7 more of this kind" in alert.sentence


def test_causes_that_arise_one_after_the_other_are_an_alert_every_ten_minutes_at_most() -> None:
    story = Story()
    alerts = []
    for number in range(60):
        story.hear(unauthorized(f"account{number}"))
        alerts += story.during(minutes=1)
    alerts += story.during(minutes=10)
    assert len(alerts) <= 8
    assert sum(len(alert.causes) for alert in alerts) == 60


def test_it_is_repeated_after_hours_and_not_before() -> None:
    story = Story(repeat_after=timedelta(hours=6))
    story.hear(paused())
    assert kinds(story.during(hours=5, minutes=59)) == [("paused", "raised")]
    assert kinds(story.during(minutes=2)) == [("paused", "repeated")]
    assert kinds(story.during(hours=12)) == [("paused", "repeated")] * 2


def test_the_all_clear_says_how_long_it_was_and_comes_once() -> None:
    story = Story()
    story.hear(paused())
    assert kinds(story.during(minutes=30)) == [("paused", "raised")]
    story.hear(resumed())
    (alert,) = story.during(hours=24)
    assert kinds([alert]) == [("paused", "cleared")]
    assert "all clear: the mail of website/wp@contoso.com is no longer paused" in alert.sentence
    assert "after 31 minutes" in alert.sentence
    assert alert.causes[0].remedy == ""


def test_what_is_over_before_it_was_reported_is_never_reported() -> None:
    story = Story()
    story.hear(paused(), resumed())
    assert story.during(hours=12) == []


def test_a_cause_that_comes_and_goes_is_reported_less_and_less_often() -> None:
    story = Story()
    alerts = []
    for _ in range(12 * 24):
        story.hear(paused())
        alerts += story.during(minutes=3)
        story.hear(resumed())
        alerts += story.during(minutes=2)
    assert len(alerts) <= 12
    story.hear(resumed())
    alerts += story.during(hours=7)
    assert alerts[-1].state is State.CLEARED


def test_one_mailbox_that_works_again_does_not_clear_the_others_of_its_account() -> None:
    story = Story()
    story.hear(paused("a@x", Trouble.AUTHORIZATION), paused("b@x", Trouble.AUTHORIZATION))
    story.during(minutes=1)
    story.hear(resumed("a@x"))
    assert story.during(hours=1) == []
    story.hear(resumed("b@x"))
    assert kinds(story.during(hours=1)) == [("authorization", "cleared")]


def test_authorizing_clears_an_account_and_so_does_revoking_it_on_purpose() -> None:
    over: tuple[Event, ...] = (
        events.Authorized("website", "root"),
        events.AuthorizationWorks("website"),
        events.Revoked("website"),
    )
    for event in over:
        story = Story()
        story.hear(unauthorized())
        story.during(minutes=1)
        story.hear(event)
        assert kinds(story.during(hours=1)) == [("authorization", "cleared")]


def test_a_lane_paused_for_another_reason_than_before_changes_its_kind() -> None:
    story = Story()
    story.hear(paused(trouble=Trouble.AUTHORIZATION))
    story.during(minutes=11)
    story.hear(paused(trouble=Trouble.QUOTA))
    seen = kinds(story.during(minutes=11))
    assert sorted(seen) == [("authorization", "cleared"), ("paused", "raised")]


def test_a_lane_that_disappears_without_an_event_is_cleared() -> None:
    story = Story()
    story.hear(paused(), paused("b@x", Trouble.AUTHORIZATION), unauthorized("gone"))
    story.during(minutes=1)
    assert story.watch.cares_for_lanes
    story.watch.lanes({"website/b@x"}, {"website"}, story.passed)
    alerts = story.during(minutes=5)
    assert kinds(alerts) == [("paused", "cleared"), ("authorization", "cleared")]
    assert alerts[1].causes[0].subject == "gone"
    story.watch.lanes({"website/b@x"}, {"website"}, story.passed)
    assert story.during(hours=1) == []


def test_mail_that_waits_too_long_is_reported_with_its_age() -> None:
    story = Story(queue_older_than=timedelta(hours=1))
    story.look(Figures(waiting=7, oldest=NOON - timedelta(minutes=59), free=10**12))
    assert story.during(minutes=1) == []
    story.look(Figures(waiting=7, oldest=NOON - timedelta(hours=2), free=10**12))
    (alert,) = story.during(minutes=1)
    assert (
        "the oldest message has been waiting for 2 hours 1 minute; 7 are in the queue"
        in alert.sentence
    )
    story.look(FINE)
    assert kinds(story.during(minutes=5)) == [("queue", "cleared")]


def test_a_disk_is_low_until_it_has_clearly_more_space() -> None:
    story = Story(disk_below=1_000_000_000)
    story.look(Figures(waiting=0, oldest=None, free=999_000_000))
    (alert,) = story.during(minutes=1)
    assert "999 MB are left on the spool's disk" in alert.sentence
    story.look(Figures(waiting=0, oldest=None, free=1_100_000_000))
    assert story.during(minutes=15) == []
    story.look(Figures(waiting=0, oldest=None, free=1_300_000_000))
    assert kinds(story.during(minutes=15)) == [("disk", "cleared")]


def test_failures_are_reported_above_their_rate_and_cleared_when_the_hour_is_over() -> None:
    story = Story(failures_per_hour=10)
    for number in range(9):
        story.hear((bounced if number % 2 else failed)(f"No such mailbox {number}."))
        assert story.during(minutes=1) == []
    story.hear(failed("No such mailbox 9."))
    (alert,) = story.during(minutes=1)
    assert "10 messages failed within an hour; the last: 5.1.1 No such mailbox 9." in alert.sentence
    assert kinds(story.during(hours=2)) == [("failures", "cleared")]


def test_failures_spread_over_the_day_raise_no_alert() -> None:
    story = Story(failures_per_hour=10)
    for _ in range(24):
        story.hear(*[failed("No.")] * 9)
        assert story.during(minutes=61) == []


def test_trouble_with_the_spool_is_over_when_no_event_reports_it() -> None:
    story = Story()
    story.hear(events.OutcomeNotRecorded("4QX7K2M9", "The disk is full."))
    (alert,) = story.during(minutes=5)
    assert "the outcome of an attempt cannot be recorded: The disk is full." in alert.sentence
    assert kinds(story.during(minutes=20)) == [("spool", "cleared")]


def test_a_spool_that_does_not_answer_is_in_trouble_until_it_does() -> None:
    story = Story()
    story.look(SpoolUnreadable("disk I/O error"))
    assert kinds(story.during(hours=5)) == [("spool", "raised")]
    story.look(FINE)
    assert kinds(story.during(minutes=5)) == [("spool", "cleared")]


def test_a_credential_that_expires_is_reported_as_long_as_events_say_so() -> None:
    story = Story(repeat_after=timedelta(hours=24))
    alerts = []
    for _ in range(3):
        story.hear(events.CredentialEnds("a", "Its secret expires soon."))
        alerts += story.during(hours=24)
    assert kinds(alerts) == [("credential", "raised")] + [("credential", "repeated")] * 2
    assert kinds(story.during(hours=36))[-1] == ("credential", "cleared")


def test_events_of_the_alerts_themselves_mean_nothing() -> None:
    story = Story()
    story.hear(
        events.Alert("raised", "queue", "x"),
        events.AlertSent("y", "queue"),
        events.AlertNotSent("y", "queue", "x"),
        events.AlertsBroke("x"),
    )
    assert story.during(hours=24) == []


def test_a_jump_of_the_wall_clock_changes_no_alert() -> None:
    story = Story()
    story.hear(paused())
    story.during(minutes=1)
    story.hear(resumed())
    alerts = story.watch.due(NOON - timedelta(days=365), story.passed + timedelta(minutes=5))
    assert kinds(alerts) == [("paused", "cleared")]
    assert "after 0 seconds" in alerts[0].sentence


def test_what_was_reported_stands_until_its_all_clear() -> None:
    story = Story()
    story.hear(paused())
    assert not story.watch.reported
    story.during(minutes=1)
    assert [cause.kind for cause in story.watch.reported] == [AlertKind.PAUSED]
    story.hear(resumed())
    story.during(minutes=5)
    assert not story.watch.reported
