"""The one owner of what is wrong and of what is being told.

    journal ─▶ hear ─┐
                     ├─▶ Watch ─▶ the journal, the status line, and a queue for each way
    source ─▶ look ──┘

Ways do not wait for each other. Each tries an alert a few times, further and further apart; then
it is given up, which only the journal hears: what tells of trouble must not make any. While one
cannot be sent, those behind it wait, the oldest going first when there are too many.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from typing import Protocol

from graphrelay.alerts.alert import Alert, clean, subjects, trial
from graphrelay.alerts.signals import signals
from graphrelay.alerts.watch import Figures, Thresholds, Unreadable, Watch
from graphrelay.alerts.way import NotSent, Sent, Way
from graphrelay.clock import Clock
from graphrelay.journal import Entry, Journal

TICK = timedelta(seconds=5)
TICKS_PER_LOOK = 12
PATIENCE = timedelta(minutes=1)
"""How long the spool may take to say how it is."""
PAUSES = tuple(timedelta(seconds=seconds) for seconds in (10, 60, 300, 900))
"""Between the tries of one alert."""
MOST_WAITING = 20
"""Alerts for one way; when there are more, the oldest is given up."""


class Source(Protocol):
    """What is looked at now and then."""

    async def figures(self) -> Figures | Unreadable: ...

    def paused(self) -> Collection[str]:
        """The lanes that are paused, as `account/mailbox`."""
        ...

    def accounts(self) -> Collection[str]:
        """The accounts that are configured."""
        ...


class _Lines:
    """What waits for one way."""

    def __init__(self, way: Way) -> None:
        self.way = way
        self.waiting: deque[Alert] = deque()
        self.more = asyncio.Event()


class AlertManager:
    """Lives in one event loop; all its methods are called there."""

    def __init__(
        self, host: str, thresholds: Thresholds, ways: Sequence[Way], clock: Clock
    ) -> None:
        self._host = host
        self._clock = clock
        self._watch = Watch(host, thresholds)
        self._lines = [_Lines(way) for way in dict.fromkeys(ways)]
        self._on_status: Callable[[], None] = lambda: None
        self._changed = asyncio.Event()

    # What is heard and asked ------------------------------------------------------------------

    def hear(self, entry: Entry) -> None:
        """A sink of the journal."""
        for signal in signals(entry):
            self._watch.hear(signal, entry.at, self._clock.monotonic())

    @property
    def status(self) -> str:
        """What is wrong, in few words on one line; empty if nothing is."""
        return clean(subjects(self._watch.told))

    def on_status(self, tell: Callable[[], None]) -> None:
        """Call `tell` whenever `status` may have changed."""
        self._on_status = tell

    def use(self, thresholds: Thresholds, ways: Sequence[Way]) -> None:
        """Go by another configuration. What waits for a way that stays the same goes on."""
        self._watch.thresholds = thresholds
        before = {line.way: line for line in self._lines}
        self._lines = [before.get(way) or _Lines(way) for way in dict.fromkeys(ways)]
        self._changed.set()

    async def test(self) -> list[tuple[str, Sent | NotSent]]:
        """One test alert by every way at once; what came of each."""
        alert = trial(self._host, self._clock.now())
        ways = [line.way for line in self._lines]
        outcomes = await asyncio.gather(*(_tried(way, alert) for way in ways))
        return [(way.name, outcome) for way, outcome in zip(ways, outcomes, strict=True)]

    async def run(self, journal: Journal, source: Source) -> None:
        """Watch and tell; never returns."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._send_all(journal), name="alerts")
            ticks = 0
            while True:
                await self._clock.sleep(TICK)
                ticks += 1
                try:
                    await self._step(journal, source, look=ticks % TICKS_PER_LOOK == 0)
                except Exception as error:  # a mistake of ours, which must not stop the mail
                    journal.error("alerts-broke", reason=repr(error))

    async def _step(self, journal: Journal, source: Source, *, look: bool) -> None:
        if look:
            seen = await self._figures(source)
            self._watch.look(seen, self._clock.now(), self._clock.monotonic())
        self._tell(journal, source)

    async def _figures(self, source: Source) -> Figures | Unreadable:
        """A disk that never answers silences no alert, least of all the one about itself."""
        asking = asyncio.ensure_future(source.figures())
        timer = asyncio.ensure_future(self._clock.sleep(PATIENCE))
        try:
            await asyncio.wait({asking, timer}, return_when=asyncio.FIRST_COMPLETED)
            if asking.done():
                return asking.result()
            return Unreadable(f"it has said nothing for {PATIENCE.seconds} s")
        finally:
            for task in (asking, timer):
                task.cancel()
            await asyncio.gather(asking, timer, return_exceptions=True)

    # Telling ----------------------------------------------------------------------------------

    def _tell(self, journal: Journal, source: Source) -> None:
        now = self._clock.monotonic()
        if self._watch.cares_for_lanes:
            self._watch.lanes(source.paused(), source.accounts(), now)
        alerts = self._watch.due(self._clock.now(), now)
        for alert in alerts:
            journal.warning(
                "alert", state=alert.state.value, kind=alert.kind.value, text=alert.sentence
            )
            for line in self._lines:
                self._queue(line, alert, journal)
        if alerts:
            self._on_status()

    def _queue(self, line: _Lines, alert: Alert, journal: Journal) -> None:
        if len(line.waiting) >= MOST_WAITING:
            given_up = line.waiting.popleft()
            _not_sent(journal, line.way, given_up, "too many wait behind it")
        line.waiting.append(alert)
        line.more.set()

    async def _send_all(self, journal: Journal) -> None:
        """A task for each way, made anew when the ways change."""
        running: dict[_Lines, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._changed.clear()
                for line in set(running) - set(self._lines):
                    running.pop(line).cancel()
                for line in self._lines:
                    if line not in running:
                        running[line] = tasks.create_task(self._send_line(line, journal))
                await self._changed.wait()

    async def _send_line(self, line: _Lines, journal: Journal) -> None:
        while True:
            line.more.clear()
            while line.waiting:
                alert = line.waiting.popleft()
                await self._send(line.way, alert, journal)
            await line.more.wait()

    async def _send(self, way: Way, alert: Alert, journal: Journal) -> None:
        for pause in (*PAUSES, None):
            outcome = await _tried(way, alert)
            if isinstance(outcome, Sent):
                journal.notice("alert-sent", way=way.name, kind=alert.kind.value)
                return
            if pause is None or not outcome.again:
                _not_sent(journal, way, alert, outcome.reason)
                return
            await self._clock.sleep(max(pause, outcome.after or pause))


async def _tried(way: Way, alert: Alert) -> Sent | NotSent:
    try:
        return await way.send(alert)
    except Exception as error:  # a mistake of ours, which must not stop the mail
        return NotSent(f"this way broke: {type(error).__name__}", again=False)


def _not_sent(journal: Journal, way: Way, alert: Alert, reason: str) -> None:
    journal.error("alert-not-sent", way=way.name, kind=alert.kind.value, reason=reason)
