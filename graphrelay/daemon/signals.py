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
from graphrelay.config import ConfigError, Settings, load, warnings
from graphrelay.control.verbs.reload import InForce, NotInForce, ReloadRequests, ReloadResult
from graphrelay.daemon.relay import CannotStart, Relay, log_sink, running
from graphrelay.daemon.systemd import Notifier
from graphrelay.daemon.wiring import accounts
from graphrelay.file_access import FileUser
from graphrelay.journal import Journal, events
from graphrelay.oauth.scenario import risk_of_any_user

ONLY_AT_START = ("state_directory", "cloud", "control", "delivery", "drop", "log", "vault")
"""The tables that only a restart puts in effect; a change in one is reported."""
CONSOLE_ONLY_AT_START = ("address", "tls", "certificate_file", "key_file", "tls_minimum")
"""Where the console listens; all else of it changes with a reload."""


async def serve(path: Path) -> None:
    """Run until SIGTERM or SIGINT. Raises `CannotStart`, `ConfigError`."""
    settings = load(path)
    clock, notifier = SystemClock(), Notifier()
    journal = Journal(clock, log_sink(settings))
    journal.write(events.Starting(version=__version__, config=path))
    _warn(path, settings, journal, clock)
    stop, requests = asyncio.Event(), ReloadRequests()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, requests.ask)
    async with running(settings, clock, config=path, reloads=requests) as relay:
        notifier.ready(_listening(relay))
        relay.alerts.on_status(lambda: notifier.status(_listening(relay)))
        reloader = Reloader(path, settings, relay, notifier, clock)
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
        self, path: Path, settings: Settings, relay: Relay, notifier: Notifier, clock: Clock
    ) -> None:
        self._path = path
        self._settings = settings
        self._relay = relay
        self._notifier = notifier
        self._clock = clock

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
            settings = load(self._path)
            await self._relay.reload(settings)
        except ConfigError as error:
            return self._refused(*map(str, error.problems))
        except CannotStart as error:
            return self._refused(str(error))
        except Exception as error:  # a mistake of ours, which must not stop the mail
            journal.write(events.ReloadBroke(config=config, reason=repr(error)))
            return NotInForce((f"The reload failed because of a bug: {error!r}",))
        journal.write(events.Reloaded(config=config))
        doubts = _warn(config, settings, journal, self._clock)
        waiting = self._needs_restart(settings)
        if waiting:
            journal.write(events.RestartNeeded(config=config, changed=waiting))
        return InForce(doubts, tuple(waiting))

    def _refused(self, *problems: str) -> NotInForce:
        for problem in problems:
            refused = events.ReloadRefused(config=self._path, reason=problem)
            self._relay.journal.write(refused)
        return NotInForce(tuple(f"{self._path}: {problem}" for problem in problems))

    def _needs_restart(self, settings: Settings) -> list[str]:
        """The tables that have changed since the start and need a restart."""
        changed = [
            name
            for name in ONLY_AT_START
            if getattr(settings, name) != getattr(self._settings, name)
        ]
        before, after = self._settings.console, settings.console
        changed += [
            f"console.{name}"
            for name in CONSOLE_ONLY_AT_START
            if getattr(before, name) != getattr(after, name)
        ]
        return changed


def _warn(config: Path, settings: Settings, journal: Journal, clock: Clock) -> tuple[str, ...]:
    """Log what is doubtful in the configuration, and what whoever has a credential could do."""
    today = clock.now().date()
    doubts = [str(doubt) for doubt in warnings(config, settings, FileUser.this_process(), today)]
    doubts += [
        f"accounts.{account.name}: {risk}"
        for account in accounts(settings)
        if (risk := risk_of_any_user(account))
    ]
    for doubt in doubts:
        journal.write(events.ConfigWarning(config=config, reason=doubt))
    return tuple(doubts)


def _listening(relay: Relay) -> str:
    """The status line for `systemctl status`, with what is wrong."""
    wrong = relay.alerts.status
    return f"listening on {', '.join(relay.addresses)}" + (f"; ALERT: {wrong}" if wrong else "")
