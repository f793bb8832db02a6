"""What needs a person, each with the button that does it."""

from datetime import timedelta
from typing import Any

import pytest

from graphrelay.console.metrics.snapshot import Snapshot
from graphrelay.console.needs import Need, needs
from graphrelay.console.options import HealthLimits
from tests.clock import FakeClock
from tests.console.conftest import FIGURES, STATUS

NOW = FakeClock().now()
QUIET = {**FIGURES, "held": 0}
UNWELL = {**STATUS, "well": False, "status": "Unauthorized", "reason": "r", "remedy": "x"}
LANE = {
    "account": "website",
    "mailbox": "wp@contoso.com",
    "state": "paused",
    "reason": "Its quota is used up.",
    "remedy": "Wait.",
    "until": None,
    "waiting": 3,
}


def found(*, here: bool = False, **changed: Any) -> list[Need]:
    snapshot = Snapshot(**{"figures": QUIET, "lanes": [], "accounts": [STATUS], **changed})
    return list(needs(snapshot, HealthLimits(), NOW, here=here))


def test_a_relay_that_is_well_needs_nobody() -> None:
    assert found(lanes=[{**LANE, "state": "open"}, {**LANE, "state": "resting"}]) == []


@pytest.mark.parametrize(
    ("scenario", "here", "method"),
    [("user", True, "browser"), ("user", False, "device"), ("scoped-users", False, "browser")],
)
def test_an_account_that_cannot_send_is_authorized_by_one_button(
    scenario: str, here: bool, method: str
) -> None:
    [need] = found(here=here, accounts=[{**UNWELL, "scenario": scenario}])
    authorize, show = need.buttons
    assert (authorize.path, authorize.fields) == ("/accounts/website/authorize", {"method": method})
    assert (show.path, show.acts) == ("/accounts#website", False)


def test_a_lane_that_stands_is_tried_again() -> None:
    [need] = found(lanes=[LANE])
    assert need.why == "Its quota is used up. Wait. 3 waiting."
    assert need.buttons[0].path == "/queue/retry"
    assert need.buttons[0].fields == {"account": "website", "mailbox": "wp@contoso.com"}


def test_lanes_of_an_account_that_cannot_send_are_not_named_besides() -> None:
    assert [need.what for need in found(accounts=[UNWELL], lanes=[LANE])] == ["website"]


def test_held_and_old_mail_and_a_full_disk_are_named() -> None:
    oldest = (NOW - timedelta(hours=2)).isoformat()
    named = found(figures={**QUIET, "held": 1, "oldest": oldest, "free": 40_000_000})
    assert [(need.what, need.state) for need in named] == [
        ("1 message", "held"),
        ("The oldest message", "delayed"),
        ("The disk", "nearly full"),
    ]


def test_a_credential_that_ends_soon_is_named_while_all_is_well() -> None:
    [need] = found(accounts=[{**STATUS, "warning": "It expires in 5 days."}])
    assert (need.state, need.why) == ("soon", "It expires in 5 days.")
