"""The verb, as the running relay offers it: plan, consent, progress, and the end."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from graphrelay.control.socket.place import control_socket_in
from graphrelay.control.verb import Output, VerbError
from graphrelay.doctor.checks import CHECKS
from graphrelay.doctor.verb import DoctorVerbs
from tests.control.socket.asking import converse
from tests.doctor.practice import ADDRESS, TO, Practice, only, practice, strict


def asking(here: Practice, **more: Any) -> Mapping[str, Any]:
    return {"account": "website", "to": TO} | more


async def ended(here: Practice, answer: str = "yes", **more: Any) -> list[Output]:
    """All events, from the relay that runs."""

    async def person(what: str) -> str:
        assert what == "go"
        return answer

    socket = control_socket_in(here.world.config.parent / "state")
    return [one async for one in converse(socket, "doctor", asking(here, **more), person)]


async def test_the_plan_says_all_that_will_be_tried_and_sent(tmp_path: Path) -> None:
    async with practice(tmp_path) as here:
        plan, declined = await ended(here, "no", skip=["bcc-draft"])
        assert here.world.cloud.mailboxes.submitted == []
    assert declined == {"kind": "declined"}
    assert [one["check"] for one in plan["checks"]] == [check.name for check in CHECKS]
    left_out = {one["check"]: one["left_out"] for one in plan["checks"] if one["left_out"]}
    assert left_out == {"bcc-draft": "as you wish (--skip)", "revoked": "only with --revoke"}
    assert (plan["mailbox"], plan["to"]) == (ADDRESS, TO)
    assert plan["letters"] == {"own": 16, "to": 2, "nobody": 1}


async def test_it_reports_as_it_goes_and_ends_with_the_records(tmp_path: Path) -> None:
    async with practice(tmp_path, strict(ids_survive_sending=True)) as here:
        events = await ended(here, skip=list(only("clock", "draft-fresh", "draft-id").skip))
    kinds = [one["kind"] for one in events]
    assert kinds[0] == "plan"
    assert kinds[-1] == "end"
    assert kinds.count("began") == 3
    assert kinds.count("found") == len(CHECKS)
    assert kinds.index("cleaned") < kinds.index("record")
    (different,) = [one for one in events if one.get("verdict") == "different"]
    assert different["check"] == "draft-id"
    assert different["changes"]
    assert events[-1]["well"] is False
    assert events[-1]["conclusion"].startswith("2 as assumed, 1 different, 0 not known")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"account": "shop"}, "there is no account 'shop', only website"),
        ({"skip": ["sizes"]}, "there is no check sizes, only dns, tls"),
        ({"to": "nobody"}, "'nobody' is not an address"),
        ({"to": "a b@c.example"}, "is not an address"),
        ({"to": "a@b.example\r\nBcc: c@d.example"}, "is not an address"),
        ({"outside": ".."}, "cannot be the name of a mailbox"),
    ],
)
async def test_what_cannot_be_done_is_refused(
    tmp_path: Path, arguments: dict[str, Any], said: str
) -> None:
    async with practice(tmp_path) as here:
        with pytest.raises(VerbError, match=said):
            await ended(here, **arguments)
        assert here.world.cloud.mailboxes.submitted == []


async def test_a_person_who_leaves_finds_the_mailbox_clean(tmp_path: Path) -> None:
    async def person(what: str) -> str:
        return "yes"

    async with practice(tmp_path) as here:
        events = DoctorVerbs(here.reach).table()["doctor"](asking(here), person)
        async for event in events:
            if event.get("check") == "draft-deleted" and event["kind"] == "began":
                break
        assert [*here.world.cloud.mailboxes.box(here.user).items()]
        await events.aclose()  # type: ignore[attr-defined]
        assert [*here.world.cloud.mailboxes.box(here.user).items()] == []
