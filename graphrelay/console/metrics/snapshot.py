"""What the verbs return for a request for metrics or health; kept for a few seconds."""

from dataclasses import dataclass

from graphrelay.clock import Clock
from graphrelay.console.asking import Ask
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

    def __init__(self, ask: Ask, clock: Clock) -> None:
        self._ask = ask
        self._kept = SharedAnswer(clock, self._take)

    async def latest(self) -> Snapshot:
        """Raises `VerbError` when the spool cannot be read."""
        return await self._kept.get()

    async def _take(self) -> Snapshot:
        [figures] = await self._ask("figures")
        lanes = await self._ask("lanes")
        accounts = await self._ask("status", prove=False)
        return Snapshot(figures, lanes, accounts)
