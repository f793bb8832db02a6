"""Text from octets that were not UTF-8 comes back from a column unchanged."""

import sqlite3
from contextlib import closing

import pytest

from graphrelay.spool.sqlite.database.text import restored, storable


@pytest.mark.parametrize(
    "text", ["", "anna", "Jürgen", "\U0001f4e7", b"J\xfcrgen".decode("utf-8", "surrogateescape")]
)
def test_text_comes_back_from_a_column_unchanged(text: str) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        (kept,) = connection.execute("SELECT ?", (storable(text),)).fetchone()
    assert restored(kept) == text


def test_ordinary_text_is_text_in_the_database_and_can_be_searched() -> None:
    assert storable("Jürgen") == "Jürgen"
