"""How long a client may take, by the limits."""

from datetime import timedelta

from graphrelay.smtp.access.listener import Limits
from graphrelay.smtp.connection.buffer import Patience, Waited, overdue
from graphrelay.smtp.context import patience_for_a_command, patience_for_a_message

MINUTE = timedelta(minutes=1)
LIMITS = Limits(command_timeout=5 * MINUTE, data_timeout=3 * MINUTE)


def too_late(patience: Patience, now: timedelta, in_all: timedelta, received: int) -> bool:
    return overdue(patience, Waited(now, in_all, received)) is not None


def test_a_command_may_pause_for_its_limit_and_take_twice_as_long() -> None:
    patience = patience_for_a_command(LIMITS)
    assert not too_late(patience, 5 * MINUTE, 10 * MINUTE, 100_000)
    assert too_late(patience, 5 * MINUTE + timedelta(seconds=1), 6 * MINUTE, 100_000)
    assert too_late(patience, MINUTE, 10 * MINUTE + timedelta(seconds=1), 100_000)


def test_a_message_may_take_a_second_longer_for_each_256_octets() -> None:
    patience = patience_for_a_message(LIMITS)
    assert not too_late(patience, 3 * MINUTE, 3 * MINUTE, 0)
    assert too_late(patience, MINUTE, 4 * MINUTE, 256 * 59)
    assert not too_late(patience, MINUTE, 4 * MINUTE, 256 * 60)
    assert too_late(patience, 3 * MINUTE + timedelta(seconds=1), 4 * MINUTE, 10**9)
