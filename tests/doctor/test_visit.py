"""All checks, in the strict world."""

from pathlib import Path

from tests.doctor.practice import differing, practice


async def test_where_all_is_as_assumed_nothing_differs(tmp_path: Path) -> None:
    async with practice(tmp_path) as here:
        found = await here.visit()
        for name, one in found.items():
            print(name, type(one).__name__, one.seen)
        assert differing(found) == {}
