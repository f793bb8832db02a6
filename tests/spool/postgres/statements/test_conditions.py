"""Filters become conditions with bound values."""

from graphrelay.spool.postgres.statements.conditions import equal, joined, key_of, message_is


def test_without_a_field_everything_is_found() -> None:
    assert joined([*equal("a", None)]) == ("true", ())


def test_values_are_bound_and_never_part_of_the_words() -> None:
    words, values = joined([*equal("a", "' OR 1 --"), *message_is("0000000000/2")])
    assert words == "a = %s AND m.queue_id = %s AND s.part = %s"
    assert values == ("' OR 1 --", "0000000000", 2)


def test_addresses_are_compared_by_their_key() -> None:
    assert key_of("<Anna@Example.ORG>") == "anna@example.org"
    assert key_of("<>") == ""
