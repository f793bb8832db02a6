"""Whose mailbox: the names by which Graph finds one, and what it denies."""

from pathlib import Path

import pytest

from graphrelay.doctor import mailbox
from tests.doctor.worlds import Row, finds, worlds_of


@pytest.mark.parametrize("row", worlds_of(mailbox), ids=str)
async def test_another_way_to_a_mailbox_is_found_and_named(row: Row, tmp_path: Path) -> None:
    await finds(row, tmp_path)
