"""Where the CPU of a message goes: the functions of `serve` that cost most, for each message.

The relay runs under cProfile twice, with few messages and with many; the difference excludes its
start-up. Profiling doubles what Python costs: compare the lines with each other, not with the
clock. On uvloop the first line is its wait for clients, under another name.
"""

import asyncio
import pstats
from pathlib import Path

from benchmarks.figures import head, row
from benchmarks.load import run as load
from benchmarks.servers import Cloud, relay
from benchmarks.throughput import SMALL

FEW, MANY = 500, 2500
SHOWN = 25

Costs = dict[tuple[str, int, str], tuple[float, float, float]]
"""Function -> calls, seconds of its own, seconds with what it calls."""


def profile(of: Cloud, folder: Path, runs: int) -> None:
    """Acceptance at 20 connections with one message each."""
    few, many = (_costs(of, folder / str(messages), messages) for messages in (FEW, MANY))
    nothing = (0.0, 0.0, 0.0)
    each = {
        function: [
            (after - before) / (MANY - FEW)
            for after, before in zip(costs, few.get(function, nothing), strict=True)
        ]
        for function, costs in many.items()
    }
    head("function", "calls", "own us", "with its calls us")
    for function in sorted(each, key=lambda one: -each[one][1])[:SHOWN]:
        calls, own, whole = each[function]
        file, line, name = function
        where = f"{'/'.join(Path(file).parts[-2:])}:{line} {name}".replace("|", "/")
        row(where, f"{calls:.1f}", f"{own * 1e6:.1f}", f"{whole * 1e6:.1f}")


def _costs(of: Cloud, state: Path, messages: int) -> Costs:
    found = state / "profile"
    with relay(of, state, authorized=False, profile=found) as server:
        shape = load(server.port, connections=20, messages=messages, per_connection=1, size=SMALL)
        asyncio.run(shape)
    stats = pstats.Stats(str(found)).stats  # type: ignore[attr-defined]
    return {function: (calls, own, whole) for function, (_, calls, own, whole, _) in stats.items()}
