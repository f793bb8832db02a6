"""The size ladder."""

import json
from pathlib import Path

import pytest

from graphrelay.doctor import sizes
from graphrelay.doctor.finding import NotKnown
from graphrelay.doctor.sizes import Ladder
from graphrelay.sandbox.faults import Answer
from tests.doctor.practice import only, practice, strict
from tests.doctor.worlds import Row, finds, worlds_of


@pytest.mark.parametrize("row", worlds_of(sizes), ids=str)
async def test_another_size_is_found_and_named(row: Row, tmp_path: Path) -> None:
    await finds(row, tmp_path)


async def test_the_size_that_was_found_is_remembered(tmp_path: Path) -> None:
    async with practice(tmp_path, strict(request_limit=12_000_000)) as here:
        await here.visit(only("size-mime"))
        (learned,) = here.reach.limits.all_learned().values()
    assert learned.most == 10_000_000
    (kept,) = json.loads((tmp_path / "request-limits.json").read_text())
    assert kept[:3] == ["website", "website@contoso.com", 10_000_000]


async def test_an_answer_that_says_nothing_of_the_size_ends_the_ladder(tmp_path: Path) -> None:
    async with practice(tmp_path) as here:
        here.world.cloud.faults.on(Answer(status=503, path="/v1.0/me/sendMail"))
        found = await here.visit(only("size-mime"))
    assert found["size-mime"] == NotKnown("3,900,000 octets: HTTP 503")
    assert here.reach.limits.all_learned() == {}


@pytest.mark.parametrize(
    ("ladder", "shown"),
    [
        (Ladder(0, 3_900_000, "HTTP 413"), "nothing was taken; 3,900,000 refused: HTTP 413"),
        (Ladder(48_000_000), "taken up to 48,000,000 octets"),
    ],
)
def test_a_ladder_in_words(ladder: Ladder, shown: str) -> None:
    assert str(ladder) == shown
