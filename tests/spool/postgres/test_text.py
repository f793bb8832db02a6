"""Any text of a message can be stored and is read back unchanged."""

import pytest

from graphrelay.spool.postgres.text import restored, storable


@pytest.mark.parametrize(
    "text", ["", "Grüße", "a\0b", "caf\udce9", "\x1b[1m", "\x1b0041", "\ud800"]
)
def test_text_comes_back_the_same(text: str) -> None:
    kept = storable(text)
    kept.encode()
    assert "\0" not in kept
    assert restored(kept) == text


def test_usual_text_is_kept_as_it_is() -> None:
    assert storable("Anna <anna@example.org>") == "Anna <anna@example.org>"
