"""Whether the relay is ready, and the reasons if it is not."""

from datetime import UTC, datetime, timedelta

from graphrelay.console.metrics.health import problems
from graphrelay.console.metrics.snapshot import Snapshot
from graphrelay.console.options import HealthLimits
from tests.console.conftest import FIGURES, STATUS

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def found(accounts: object = (STATUS,), **figures: object) -> list[str]:
    snapshot = Snapshot({**FIGURES, **figures}, [], list(accounts))  # type: ignore[call-overload]
    return list(problems(snapshot, HealthLimits(), NOON))


def test_a_relay_that_can_send_is_ready() -> None:
    assert found() == []
    assert found(free=None) == [], "the disk is another machine's"


def test_each_thing_that_is_wrong_is_named() -> None:
    assert found(accounts=()) == ["no account is configured"]
    refused = {**STATUS, "well": False, "status": "Refused"}
    assert found(accounts=(STATUS, refused)) == ["account website: Refused"]
    old = (NOON - timedelta(hours=2)).isoformat()
    assert found(oldest=old) == [f"the oldest message has been waiting since {old}"]
    assert found(free=1_000_000) == ["1 MB are left on the disk"]
