"""Killed again and again under load: nothing that was acknowledged is ever missing.

GRAPHRELAY_CRASH_ROUNDS sets the number of kills; the default is a dozen.
"""

import os
import random

from tests.crash.conftest import Crasher
from tests.crash.truth import Promises, check, states

ROUNDS = int(os.environ.get("GRAPHRELAY_CRASH_ROUNDS", "12"))


async def test_killed_again_and_again_under_load_it_has_what_it_promised(crasher: Crasher) -> None:
    chance = random.Random("load")  # always the same kills, as far as threads allow
    sure: dict[str, set[str]] = {}
    directory = None
    kills = 0
    for number in range(ROUNDS):
        directory, promises, killed = crasher.run(
            at=chance.randrange(1, 1500),
            act=chance.choice("kt"),
            load=f"r{number}",
            directory=directory,
        )
        kills += killed
        entries = await check(directory, Promises({**sure, **promises.allowed}))
        assert {entry.event for entry in entries} <= {"spool-swept"}
        sure = {name: {state} for name, (state, _) in states(directory).items()}
    print(f"{kills} kills, {len(sure)} messages acknowledged or whole, 0 lost")
    assert kills > ROUNDS // 2


async def test_a_disk_that_fails_at_random_under_load_costs_no_promise(crasher: Crasher) -> None:
    chance = random.Random("faults")
    for number in range(ROUNDS):
        directory, promises, killed = crasher.run(
            at=chance.randrange(1, 1500),
            act="e",
            only=chance.choice(["", "w", "f"]),
            error=chance.choice([5, 28, 30]),
            times=chance.choice([1, 3, 50]),
            load=f"f{number}",
        )
        assert not killed
        entries = await check(directory, promises)
        assert {entry.event for entry in entries} <= {"spool-swept"}
