"""The relay as a service: signals, and notifications to systemd.

SIGTERM, SIGINT   accept nothing more, finish what is in flight (bounded); the rest stays on disk
SIGHUP            reload the configuration; if it is invalid, the old one stays in effect
                  (`graphrelay reload` does the same, and reports the result)
"""

import asyncio
import signal
from pathlib import Path

from graphrelay import __version__
from graphrelay.clock import Clock, SystemClock
from graphrelay.control.verbs.reload import InForce, NotInForce, ReloadRequests, ReloadResult
from graphrelay.daemon.reading import ConfigReading, Unusable
from graphrelay.daemon.relay import CannotStart, Relay, log_sink, running
from graphrelay.daemon.relay_settings import Found
from graphrelay.daemon.systemd import Notifier
from graphrelay.journal import Journal, events


async def serve(path: Path, reading: ConfigReading) -> None:
    """Run on the configuration in `path`, which is being read already, until SIGTERM or SIGINT.
    Raises `CannotStart`, `Unusable`."""
    found = await reading.found()
    clock, notifier = SystemClock(), Notifier()
    journal = Journal(clock, log_sink(found.settings))
    journal.write(events.Starting(version=__version__, config=path))
    _warn(path, found, journal)
    stop, requests = asyncio.Event(), ReloadRequests()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, requests.ask)
    async with running(
        found.settings, clock, reloads=requests, config=path, keeper_apart=True
    ) as relay:
        notifier.ready(_listening(relay))
        relay.alerts.on_status(lambda: notifier.status(_listening(relay)))
        reloader = Reloader(path, found, relay, notifier, clock)
        async with asyncio.TaskGroup() as tasks:
            background = (
                tasks.create_task(notifier.watch(clock)),
                tasks.create_task(reloader.run(requests)),
            )
            await stop.wait()
            for task in background:
                task.cancel()
        notifier.stopping("finishing the requests in flight")
    journal.write(events.Stopped())


class Reloader:
    """Puts a changed configuration in effect, or reports why it cannot."""

    def __init__(
        self, path: Path, found: Found, relay: Relay, notifier: Notifier, clock: Clock
    ) -> None:
        self._path = path
        self._at_start = found
        self._relay = relay
        self._notifier = notifier
        self._clock = clock
        self._may_be_missing = not path.exists()
        """As at the start: a file that has gone since then is a mistake."""

    async def run(self, requests: ReloadRequests) -> None:
        """Reload each time that somebody asks; never returns."""
        while True:
            await requests.asked()
            self._notifier.reloading(self._clock)
            result = await self.reload()
            self._notifier.ready(_listening(self._relay))
            requests.answer(result)

    async def reload(self) -> ReloadResult:
        """Reload once. The journal has the result too."""
        journal, config = self._relay.journal, self._path
        try:
            reading = ConfigReading(self._path, may_be_missing=self._may_be_missing)
            found = await reading.found()
            await self._relay.reload(found.settings)
        except Unusable as error:
            return self._refused(*error.problems)
        except (CannotStart, OSError) as error:  # OSError: no process more can be started
            return self._refused(str(error))
        except Exception as error:  # a mistake of ours, which must not stop the mail
            journal.write(events.ReloadBroke(config=config, reason=repr(error)))
            return NotInForce((f"The reload failed because of a bug: {error!r}",))
        journal.write(events.Reloaded(config=config))
        _warn(config, found, journal)
        waiting = self._needs_restart(found)
        if waiting:
            journal.write(events.RestartNeeded(config=config, changed=waiting))
        return InForce(found.doubts, tuple(waiting))

    def _refused(self, *problems: str) -> NotInForce:
        for problem in problems:
            refused = events.ReloadRefused(config=self._path, reason=problem)
            self._relay.journal.write(refused)
        return NotInForce(tuple(f"{self._path}: {problem}" for problem in problems))

    def _needs_restart(self, found: Found) -> list[str]:
        """The tables that have changed since the start and need a restart."""
        before = self._at_start.tables
        return [name for name, table in found.tables.items() if table != before[name]]


def _warn(config: Path, found: Found, journal: Journal) -> None:
    """Log what is doubtful in the configuration."""
    for doubt in found.doubts:
        journal.write(events.ConfigWarning(config=config, reason=doubt))


def _listening(relay: Relay) -> str:
    """The status line for `systemctl status`, with what is wrong."""
    wrong = relay.alerts.status
    return f"listening on {', '.join(relay.addresses)}" + (f"; ALERT: {wrong}" if wrong else "")
