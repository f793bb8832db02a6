"""Lanes are compared and shown by account and mailbox."""

from graphrelay.model import Lane


def test_a_lane_is_shown_as_account_and_mailbox() -> None:
    assert str(Lane("website", "wp@contoso.com")) == "website/wp@contoso.com"


def test_lanes_sort_by_account_then_mailbox() -> None:
    lanes = [Lane("b", "a@x"), Lane("a", "b@x"), Lane("a", "a@x")]
    assert sorted(lanes) == [Lane("a", "a@x"), Lane("a", "b@x"), Lane("b", "a@x")]
