"""The answers to a session that a person has revoked."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from graphrelay.control.verb import Output
from graphrelay.doctor.verb import GO, DoctorVerbs
from graphrelay.sandbox.entra.faults import EntraError
from graphrelay.sandbox.faults import Fault
from graphrelay.sandbox.graph.faults import TokenRefused
from tests.doctor.practice import TO, Practice, only, practice


async def revoked(here: Practice, *faults: Fault, really: bool = True) -> tuple[Output, list[str]]:
    """The finding, and the questions to the person."""
    asked: list[str] = []

    async def person(what: str) -> str:
        asked.append(what)
        if what != GO:
            here.world.cloud.faults.on(*faults)
            if really:
                here.world.cloud.directory.revoke_sessions(here.user, datetime.now(UTC))
        return "yes"

    verb = DoctorVerbs(here.reach).table()["doctor"]
    arguments = {
        "account": "website",
        "to": TO,
        "revoke": True,
        "skip": list(only("revoked").skip),
    }
    events = [event async for event in verb(arguments, person)]
    (found,) = [one for one in events if one["kind"] == "found" and one["check"] == "revoked"]
    return found, asked


async def test_graph_asks_by_a_claims_challenge_and_entra_refuses(tmp_path: Path) -> None:
    async with practice(tmp_path) as here:
        found, asked = await revoked(here)
    assert asked == ["go", "revoked"]
    assert found["verdict"] == "fine"
    assert found["seen"] == "Graph: HTTP 401, with a claims challenge; Entra: invalid_grant"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (TokenRefused(), "without a claims challenge"),
        (TokenRefused(claims="{}", several_lines=True), "in one of 2 challenges"),
        (EntraError(aadsts=50057), "Entra: "),
    ],
    ids=["no challenge", "several lines", "another refusal"],
)
async def test_another_answer_is_named(tmp_path: Path, fault: Fault, said: str) -> None:
    async with practice(tmp_path) as here:
        found, _ = await revoked(here, fault, really=isinstance(fault, EntraError))
    assert said in found["seen"]


async def test_a_token_that_outlives_its_session_is_named(tmp_path: Path) -> None:
    async with practice(tmp_path) as here:
        found, _ = await revoked(here, really=False)
    assert found["verdict"] == "different"
    assert "the old token still works after 15 minutes" in found["seen"]


async def test_nothing_is_asked_without_the_wish(tmp_path: Path) -> None:
    async with practice(tmp_path) as here:
        found = await here.visit(only("revoked"))
    assert found["revoked"].seen == "only with --revoke"
