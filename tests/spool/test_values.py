"""What a row says about the state of a submission becomes one value."""

from typing import get_args

import pytest

from graphrelay.model import Done, Held, Queued
from graphrelay.spool.values import State, state_of
from tests.spool.mail import NOON


def test_a_queued_row_says_when_it_is_due() -> None:
    assert state_of("queued", NOON, "busy") == Queued(NOON)


def test_a_held_row_says_why() -> None:
    assert state_of("held", None, "by hand") == Held("by hand")


@pytest.mark.parametrize("state", sorted(set(get_args(State)) - {"queued", "held"}))
def test_any_other_row_is_done_with_its_reason(state: State) -> None:
    found = state_of(state, None, "why")
    assert isinstance(found, Done)
    assert (found.how, found.reason) == (state, "why")
