"""What is read for metrics, for health, and for the page Overview."""

from graphrelay.console.metrics.snapshot import Snapshot, take_snapshot
from graphrelay.control.verb import Output


async def test_accounts_are_not_asked_of_entra() -> None:
    asked: list[tuple[str, dict[str, object]]] = []

    async def ask(verb: str, **arguments: object) -> list[Output]:
        asked.append((verb, arguments))
        return [{"of": verb}]

    figures, lanes, status = ({"of": verb} for verb in ("figures", "lanes", "status"))
    assert await take_snapshot(ask) == Snapshot(figures, [lanes], [status])
    assert asked[-1] == ("status", {"prove": False})
