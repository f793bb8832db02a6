"""What the verbs return for a request for metrics or health, and for the page Overview."""

from dataclasses import dataclass

from graphrelay.console.asking import Ask
from graphrelay.control.verb import Output


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The relay at a moment."""

    figures: Output
    lanes: list[Output]
    accounts: list[Output]


async def take_snapshot(ask: Ask) -> Snapshot:
    """Raises `VerbError` when the spool cannot be read."""
    [figures] = await ask("figures")
    lanes = await ask("lanes")
    accounts = await ask("status", prove=False)
    return Snapshot(figures, lanes, accounts)
