"""The power goes, at any moment: every acknowledged message is on the disk."""

import random
import shutil
from pathlib import Path

import pytest

from tests.crash.conftest import Crasher
from tests.crash.power import Disk, Step, steps
from tests.crash.truth import Promises, check

CUTS = 150


@pytest.fixture(scope="module")
def recorded(crasher: Crasher, scratch: Path) -> tuple[str, list[Step]]:
    """One whole run: where it was, and everything that it did."""
    record = scratch / "record"
    directory, promises, _ = crasher.run(record=str(record))
    assert promises.ended
    return str(directory), list(steps(record))


async def test_the_record_is_true(recorded: tuple[str, list[Step]], scratch: Path) -> None:
    base, taken = recorded
    disk = Disk()
    for step in taken:
        disk.take(step)
    disk.cut(base, scratch / "whole", random.Random(1), survival=1.0)
    for path in Path(base).rglob("*"):
        if path.is_file():
            assert (scratch / "whole" / path.relative_to(base)).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("survival", [0.0, 0.5, 0.95])
async def test_a_power_cut_at_any_moment_loses_nothing_that_was_acknowledged(
    recorded: tuple[str, list[Step]], scratch: Path, survival: float
) -> None:
    base, taken = recorded
    chance = random.Random(f"power {survival}")
    cuts = set(chance.sample(range(len(taken)), CUTS)) | {len(taken) - 1}
    disk = Disk()
    for at, step in enumerate(taken):
        disk.take(step)
        if at in cuts:
            target = scratch / f"cut{at}"
            disk.cut(base, target, chance, survival)
            await check(target, Promises.told(disk.told))
            shutil.rmtree(target)
