"""What the verbs return for a request for metrics or health; kept for a few seconds."""

from dataclasses import dataclass

from graphrelay.console.desk import Desk
from graphrelay.console.shared import SharedAnswer
from graphrelay.control.verb import Output


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The relay at a moment."""

    figures: Output
    lanes: list[Output]
    accounts: list[Output]


class Snapshots:
    """The latest snapshot, shared by all requests."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._kept = SharedAnswer(desk.clock, self._take)

    async def latest(self) -> Snapshot:
        """Raises `VerbError` when the spool cannot be read."""
        return await self._kept.get()

    async def _take(self) -> Snapshot:
        [figures] = await self._desk.ask("figures")
        lanes = await self._desk.ask("lanes")
        accounts = await self._desk.ask("status", prove=False)
        return Snapshot(figures, lanes, accounts)
