"""AlertManager: the one owner of what is wrong and of the alerts that are being sent.

    journal ─▶ hear ─┐
                     ├─▶ Watch ─▶ the journal, the status line, and a queue for each channel
    source ─▶ look ──┘

Channels do not wait for each other. Each tries an alert a few times, at growing intervals, and then
gives it up; only the journal hears of that, so that no alert is ever about an alert. While an alert
cannot be sent, those behind it wait; when there are too many, the oldest is given up.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Protocol

from graphrelay.alerts.alert import COMMON, Alert, State, subjects, trial
from graphrelay.alerts.channel import AlertNotSent, Channel, Sent
from graphrelay.alerts.signals import signals
from graphrelay.alerts.watch import Figures, SpoolUnreadable, Thresholds, Watch
from graphrelay.clock import Clock, timeout
from graphrelay.journal import Entry, Journal, events
from graphrelay.model import one_line

TICK = timedelta(seconds=5)
TICKS_PER_LOOK = 12
SPOOL_TIMEOUT = timedelta(minutes=1)
"""How long the spool may take to answer."""
PAUSES = tuple(timedelta(seconds=seconds) for seconds in (10, 60, 300, 900))
"""Between the attempts to send one alert."""
MOST_WAITING = 20
"""Alerts that may wait for one channel."""


class Source(Protocol):
    """What is looked at every minute."""

    async def figures(self) -> Figures | SpoolUnreadable: ...

    def paused(self) -> Collection[str]:
        """The lanes that are paused, as `account/mailbox`."""
        ...

    def accounts(self) -> Collection[str]:
        """The accounts that are configured."""
        ...

    async def is_ours(
        self, kind: str, subject: str, *, over: bool, repeat_after: timedelta
    ) -> bool:
        """Whether this relay is the one of several that alerts people to it, where all of them see
        the same."""
        ...


class _Outbox:
    """What waits for one channel."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.waiting: deque[Alert] = deque()
        self.more = asyncio.Event()


class AlertManager:
    """Lives in one event loop; all its methods are called there."""

    def __init__(
        self, host: str, thresholds: Thresholds, channels: Sequence[Channel], clock: Clock
    ) -> None:
        self._host = host
        self._clock = clock
        self._watch = Watch(host, thresholds)
        self._outboxes = [_Outbox(channel) for channel in dict.fromkeys(channels)]
        self._on_status: Callable[[], None] = lambda: None
        self._changed = asyncio.Event()

    # What is heard and asked ------------------------------------------------------------------

    def hear(self, entry: Entry) -> None:
        """A sink of the journal."""
        for signal in signals(entry.what):
            self._watch.hear(signal, entry.at, self._clock.monotonic())

    @property
    def status(self) -> str:
        """What is wrong, in few words on one line; empty if nothing is."""
        return one_line(subjects(self._watch.reported))

    def on_status(self, callback: Callable[[], None]) -> None:
        """Call back whenever `status` may have changed."""
        self._on_status = callback

    def use(self, thresholds: Thresholds, channels: Sequence[Channel]) -> None:
        """Take over another configuration. What waits for a channel that stays the same is kept."""
        self._watch.thresholds = thresholds
        before = {outbox.channel: outbox for outbox in self._outboxes}
        self._outboxes = [
            before.get(channel) or _Outbox(channel) for channel in dict.fromkeys(channels)
        ]
        self._changed.set()

    async def test(self) -> list[tuple[str, Sent | AlertNotSent]]:
        """Send one test alert by every channel at once; each channel's name and result."""
        alert = trial(self._host, self._clock.now())
        channels = [outbox.channel for outbox in self._outboxes]
        results = await asyncio.gather(*(_try(channel, alert) for channel in channels))
        return [(channel.name, one) for channel, one in zip(channels, results, strict=True)]

    async def run(self, journal: Journal, source: Source) -> None:
        """Watch and send alerts; never returns."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._send_all(journal), name="alerts")
            ticks = 0
            while True:
                await self._clock.sleep(TICK)
                ticks += 1
                try:
                    await self._step(journal, source, look=ticks % TICKS_PER_LOOK == 0)
                except Exception as error:  # a mistake of ours, which must not stop the mail
                    journal.write(events.AlertsBroke(repr(error)))

    async def _step(self, journal: Journal, source: Source, *, look: bool) -> None:
        if look:
            seen = await self._figures(source)
            self._watch.look(seen, self._clock.now(), self._clock.monotonic())
        await self._raise_alerts(journal, source)

    async def _figures(self, source: Source) -> Figures | SpoolUnreadable:
        """A disk that never answers silences no alert, least of all the one about itself."""
        try:
            async with timeout(self._clock, SPOOL_TIMEOUT):
                return await source.figures()
        except TimeoutError:
            return SpoolUnreadable(f"no answer for {SPOOL_TIMEOUT.seconds} seconds")

    # Sending ----------------------------------------------------------------------------------

    async def _raise_alerts(self, journal: Journal, source: Source) -> None:
        now = self._clock.monotonic()
        if self._watch.cares_for_lanes:
            self._watch.lanes(source.paused(), source.accounts(), now)
        alerts = self._watch.due(self._clock.now(), now)
        for alert in [one for seen in alerts if (one := await self._ours(seen, source))]:
            journal.write(events.Alert(alert.state.value, alert.kind.value, alert.sentence))
            for outbox in self._outboxes:
                self._queue(outbox, alert, journal)
        if alerts:
            self._on_status()

    async def _ours(self, alert: Alert, source: Source) -> Alert | None:
        """What no other relay alerts people to; `None` if nothing is left."""
        if alert.kind not in COMMON:
            return alert
        over, repeat_after = alert.state is State.CLEARED, self._watch.thresholds.repeat_after
        causes = [
            cause
            for cause in alert.causes
            if await source.is_ours(alert.kind, cause.subject, over=over, repeat_after=repeat_after)
        ]
        return replace(alert, causes=tuple(causes)) if causes else None

    def _queue(self, outbox: _Outbox, alert: Alert, journal: Journal) -> None:
        if len(outbox.waiting) >= MOST_WAITING:
            given_up = outbox.waiting.popleft()
            _not_sent(journal, outbox.channel, given_up, "too many alerts wait behind it")
        outbox.waiting.append(alert)
        outbox.more.set()

    async def _send_all(self, journal: Journal) -> None:
        """A task for each channel; `use` starts and ends them."""
        running: dict[_Outbox, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._changed.clear()
                for outbox in set(running) - set(self._outboxes):
                    running.pop(outbox).cancel()
                for outbox in self._outboxes:
                    if outbox not in running:
                        running[outbox] = tasks.create_task(self._empty(outbox, journal))
                await self._changed.wait()

    async def _empty(self, outbox: _Outbox, journal: Journal) -> None:
        while True:
            outbox.more.clear()
            while outbox.waiting:
                alert = outbox.waiting.popleft()
                await self._send(outbox.channel, alert, journal)
            await outbox.more.wait()

    async def _send(self, channel: Channel, alert: Alert, journal: Journal) -> None:
        for pause in (*PAUSES, None):
            outcome = await _try(channel, alert)
            if isinstance(outcome, Sent):
                journal.write(events.AlertSent(channel.name, alert.kind.value))
                return
            if pause is None or not outcome.again:
                _not_sent(journal, channel, alert, outcome.reason)
                return
            await self._clock.sleep(max(pause, outcome.after or pause))


async def _try(channel: Channel, alert: Alert) -> Sent | AlertNotSent:
    try:
        return await channel.send(alert)
    except Exception as error:  # a mistake of ours, which must not stop the mail
        return AlertNotSent(f"this channel broke: {type(error).__name__}", again=False)


def _not_sent(journal: Journal, channel: Channel, alert: Alert, reason: str) -> None:
    journal.write(events.AlertNotSent(channel.name, alert.kind.value, reason))
