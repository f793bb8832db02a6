"""Every defence is still where `python -m tests.smtp.without_defences` removes it."""

import pytest

from tests.smtp.without_defences import BOUNDS, DEFENCES, ROOT, Defence


@pytest.mark.parametrize("defence", [*DEFENCES, *BOUNDS], ids=lambda defence: defence.attack)
def test_a_defence_is_where_it_is_taken_out(defence: Defence) -> None:
    text = (ROOT / defence.file).read_text(encoding="utf-8")
    assert text.count(defence.what) == 1
