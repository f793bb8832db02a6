"""Drafts: whether they are found, how they change, and uploads."""

from pathlib import Path

import pytest

from graphrelay.doctor import drafting
from tests.doctor.worlds import Row, finds, worlds_of


@pytest.mark.parametrize("row", worlds_of(drafting), ids=str)
async def test_what_becomes_of_drafts_is_found_and_named(row: Row, tmp_path: Path) -> None:
    await finds(row, tmp_path)
