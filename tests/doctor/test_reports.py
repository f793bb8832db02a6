"""Non-delivery reports."""

from pathlib import Path

import pytest

from graphrelay.doctor import reports
from tests.doctor.worlds import Row, finds, worlds_of


@pytest.mark.parametrize("row", worlds_of(reports), ids=str)
async def test_another_kind_of_report_is_found_and_named(row: Row, tmp_path: Path) -> None:
    await finds(row, tmp_path)
