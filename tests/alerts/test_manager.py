"""From the journal to the channels: each on its own, bounded, and never the cause of an alert."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from graphrelay.alerts.alert import Alert, AlertKind, State
from graphrelay.alerts.channel import AlertNotSent, Sent
from graphrelay.alerts.manager import MOST_WAITING, PAUSES, AlertManager
from graphrelay.alerts.watch import Figures, SpoolUnreadable, Thresholds
from graphrelay.journal import Entry, Journal, events
from graphrelay.journal.event import Event
from tests.alerts.story import FINE, paused, resumed
from tests.clock import FakeClock, settle


class Recorded:
    """A channel that keeps what it is given, and answers as the test says."""

    def __init__(self, name: str = "recorded", *answers: Sent | AlertNotSent) -> None:
        self.name = name
        self.answers = list(answers)
        self.alerts: list[Alert] = []
        self.hang: asyncio.Event | None = None

    async def send(self, alert: Alert) -> Sent | AlertNotSent:
        self.alerts.append(alert)
        if self.hang:
            await self.hang.wait()
        return self.answers.pop(0) if self.answers else Sent()


class Broken(Recorded):
    async def send(self, alert: Alert) -> Sent | AlertNotSent:
        raise ZeroDivisionError


class World:
    def __init__(self, *channels: Recorded) -> None:
        self.clock = FakeClock()
        self.entries: list[Entry] = []
        self.manager = AlertManager("mail1", Thresholds(), channels, self.clock)
        self.journal = Journal(self.clock, self.entries.append, self.manager.hear)
        self.seen: Figures | SpoolUnreadable | Exception = FINE
        self.stuck: asyncio.Event | None = None
        self.lanes = {"website/wp@contoso.com"}
        self.ours = True
        self.known: set[str] = set()
        """What another relay has sent an alert about."""
        self.asked: list[tuple[str, str, bool]] = []

    async def figures(self) -> Figures | SpoolUnreadable:
        if self.stuck:
            await self.stuck.wait()
        if isinstance(self.seen, Exception):
            raise self.seen
        return self.seen

    def paused(self) -> set[str]:
        return self.lanes

    def accounts(self) -> set[str]:
        return {"website"}

    async def is_ours(
        self, kind: str, subject: str, *, over: bool, repeat_after: timedelta
    ) -> bool:
        self.asked.append((kind, subject, over))
        return self.ours and subject not in self.known

    def hear(self, event: Event) -> None:
        self.journal.write(event)

    def happened(self, event: str) -> list[Entry]:
        return [entry for entry in self.entries if entry.event == event]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.manager.run(self.journal, self))
        await settle()
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def until(self, **duration: float) -> None:
        await self.clock.advance(timedelta(**duration))
        await settle()


async def test_an_alert_goes_to_every_channel_and_into_the_journal() -> None:
    one, two = Recorded("one"), Recorded("two")
    world = World(one, two)
    async with world.running():
        world.hear(paused())
        await world.until(minutes=1)
    assert [alert.state for alert in one.alerts] == [State.RAISED]
    assert one.alerts == two.alerts
    (told,) = world.happened("alert")
    assert "website/wp@contoso.com" in str(told.fields["text"])
    assert [entry.fields["channel"] for entry in world.happened("alert-sent")] == ["one", "two"]


async def test_an_attempt_that_may_succeed_later_is_repeated_and_then_given_up() -> None:
    no = AlertNotSent("answered 503", again=True)
    channel = Recorded("channel", *[no] * 99)
    world = World(channel)
    async with world.running():
        world.hear(paused())
        await world.until(minutes=1)
        assert len(channel.alerts) == 2
        await world.until(hours=5)
    assert len(channel.alerts) == len(PAUSES) + 1
    (given_up,) = world.happened("alert-not-sent")
    assert given_up.fields["reason"] == "answered 503"
    assert len(world.happened("alert")) == 1


async def test_a_channel_that_asks_for_time_gets_it() -> None:
    channel = Recorded(
        "channel", AlertNotSent("answered 429", again=True, after=timedelta(minutes=5))
    )
    world = World(channel)
    async with world.running():
        world.hear(paused())
        await world.until(minutes=5)
        assert len(channel.alerts) == 1
        await world.until(minutes=1)
    assert len(channel.alerts) == 2


async def test_what_can_never_succeed_is_tried_once() -> None:
    channel = Recorded("channel", AlertNotSent("answered 404", again=False))
    world = World(channel)
    async with world.running():
        world.hear(paused())
        await world.until(hours=2)
    assert len(channel.alerts) == 1
    assert len(world.happened("alert-not-sent")) == 1


async def test_a_channel_that_hangs_or_breaks_delays_no_other() -> None:
    hanging, fine = Recorded("hanging"), Recorded("fine")
    hanging.hang = asyncio.Event()
    world = World(hanging, Broken("broken"), fine)
    async with world.running():
        world.hear(paused())
        await world.until(minutes=1)
        world.hear(resumed())
        await world.until(minutes=5)
    assert [alert.state for alert in fine.alerts] == [State.RAISED, State.CLEARED]
    assert len(hanging.alerts) == 1
    assert all("ZeroDivisionError" in str(e.fields) for e in world.happened("alert-not-sent"))


async def test_of_too_many_that_wait_the_oldest_is_given_up() -> None:
    channel = Recorded()
    channel.hang = asyncio.Event()
    world = World(channel)
    world.manager.use(Thresholds(repeat_after=timedelta(minutes=11)), (channel,))
    async with world.running():
        world.hear(paused())
        await world.until(minutes=11 * (MOST_WAITING + 3) + 2)
        assert len(world.happened("alert-not-sent")) >= 2
        channel.hang.set()
        await world.until(minutes=1)
    assert len(channel.alerts) == MOST_WAITING + 1


async def test_an_exception_while_looking_is_logged_and_the_watch_goes_on() -> None:
    channel = Recorded()
    world = World(channel)
    world.seen = ZeroDivisionError()
    async with world.running():
        await world.until(minutes=2)
        assert world.happened("alerts-broke")
        world.seen = SpoolUnreadable("no disk")
        await world.until(minutes=2)
    assert "no disk" in channel.alerts[0].sentence


async def test_a_disk_that_never_answers_is_reported_and_silences_no_other_alert() -> None:
    channel = Recorded()
    world = World(channel)
    world.stuck = asyncio.Event()
    async with world.running():
        await world.until(minutes=2, seconds=20)
        assert "the spool does not answer" in channel.alerts[0].sentence
        world.hear(paused())
        await world.until(minutes=2)
        assert "website/wp@contoso.com" in channel.alerts[1].sentence
        world.stuck = None
        await world.until(minutes=20)
    assert [alert.state for alert in channel.alerts].count(State.CLEARED) == 1


async def test_a_lane_that_disappears_without_an_event_gets_its_all_clear() -> None:
    channel = Recorded()
    world = World(channel)
    async with world.running():
        world.hear(paused())
        await world.until(minutes=1)
        world.lanes.clear()
        await world.until(minutes=2)
    assert [alert.state for alert in channel.alerts] == [State.RAISED, State.CLEARED]


async def test_the_status_line_says_what_is_wrong_and_when_it_is_over() -> None:
    world = World()
    lines: list[str] = []
    world.manager.on_status(lambda: lines.append(world.manager.status))
    async with world.running():
        world.hear(paused())
        await world.until(minutes=1)
        world.hear(resumed())
        await world.until(minutes=5)
    assert lines == ["paused website/wp@contoso.com", ""]


async def test_a_reload_takes_new_channels_over_and_keeps_the_queue_of_those_that_stay() -> None:
    old, kept, new = Recorded("old"), Recorded("kept"), Recorded("new")
    kept.hang = asyncio.Event()
    world = World(old, kept)
    async with world.running():
        world.hear(paused())
        await world.until(minutes=1)
        world.manager.use(Thresholds(), (kept, new))
        world.hear(resumed())
        await world.until(minutes=5)
        kept.hang.set()
        await world.until(minutes=1)
    assert [len(channel.alerts) for channel in (old, kept, new)] == [1, 2, 1]


async def test_a_test_alert_goes_to_every_channel_once_and_gives_each_result() -> None:
    no = AlertNotSent("answered 503", again=True)
    world = World(Recorded("one"), Recorded("two", no), Broken("three"))
    outcomes = await world.manager.test()
    assert outcomes[:2] == [("one", Sent()), ("two", no)]
    assert isinstance(outcomes[2][1], AlertNotSent)
    assert world.entries == []


async def test_what_another_relay_alerts_people_to_is_not_sent_here() -> None:
    channel = Recorded()
    world = World(channel)
    world.ours = False
    async with world.running():
        world.hear(paused())
        world.hear(events.SpoolBroke(reason="a mistake"))
        await world.until(minutes=1)
    assert [alert.kind for alert in channel.alerts] == [AlertKind.SPOOL], "about this host"
    assert world.asked == [("paused", "website/wp@contoso.com", False)]
    assert len(world.happened("alert")) == 1


async def test_of_causes_that_came_together_those_that_are_new_to_all_are_sent() -> None:
    channel = Recorded()
    world = World(channel)
    world.known = {"website/wp@contoso.com"}
    world.lanes.add("website/info@contoso.com")
    async with world.running():
        world.hear(paused())
        world.hear(paused(mailbox="info@contoso.com"))
        await world.until(minutes=1)
    [alert] = channel.alerts
    assert [cause.subject for cause in alert.causes] == ["website/info@contoso.com"]
