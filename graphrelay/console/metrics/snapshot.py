"""What is asked of the verbs when somebody wants figures or health; kept for a few seconds."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from graphrelay.console.desk import Desk
from graphrelay.control.verb import Output

GOOD_FOR: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The relay at a moment."""

    figures: Output
    lanes: list[Output]
    accounts: list[Output]


class Snapshots:
    """The latest one; however many ask, the spool is read once in a while."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._latest: tuple[timedelta, Snapshot] | None = None

    async def latest(self) -> Snapshot:
        """Raises `VerbError` when the spool cannot be read."""
        now = self._desk.clock.monotonic()
        if self._latest and now - self._latest[0] < GOOD_FOR:
            return self._latest[1]
        [figures] = await self._desk.ask("figures")
        lanes = await self._desk.ask("lanes")
        accounts = await self._desk.ask("status", prove=False)
        snapshot = Snapshot(figures, lanes, accounts)
        self._latest = (now, snapshot)
        return snapshot
