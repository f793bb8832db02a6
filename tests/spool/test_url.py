"""A connection string is checked before it is used, and its password is never shown."""

import pytest

from graphrelay.spool import url
from graphrelay.spool.url import described, mistake_in_url


@pytest.mark.parametrize(
    "good", ["postgresql:///mail", "postgres://a:b@one,two/mail?sslmode=require"]
)
def test_what_libpq_reads_can_be_used(good: str) -> None:
    assert mistake_in_url(good) == ""


@pytest.mark.parametrize(
    "bad", ["mysql://a@b/c", "dbname=mail", "postgresql://a:secret@b/c?no_such=1"]
)
def test_anything_else_is_a_mistake(bad: str) -> None:
    text = mistake_in_url(bad)
    assert text
    assert "secret" not in text


def test_a_missing_library_is_said_with_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(url, "find_spec", lambda name: None)
    assert "pip install" in mistake_in_url("postgresql:///mail")


def test_the_server_is_named_without_the_password() -> None:
    assert described("postgresql://a:secret@db/mail") == "PostgreSQL, db, database mail"
