"""Signing in: redirect URIs, and what a token answer says."""

from pathlib import Path

import pytest

from graphrelay.doctor import sign_in
from graphrelay.doctor.finding import LeftOut, NotKnown
from graphrelay.oauth.entra.grants import Grants
from graphrelay.sandbox.entra.faults import ChangedAnswer
from tests.doctor.practice import only, practice
from tests.doctor.worlds import Row, finds, worlds_of


@pytest.mark.parametrize("row", worlds_of(sign_in), ids=str)
async def test_another_answer_of_entra_is_found_and_named(row: Row, tmp_path: Path) -> None:
    await finds(row, tmp_path)


async def test_a_missing_permission_is_named(tmp_path: Path) -> None:
    async with practice(tmp_path) as here:
        here.world.cloud.faults.on(ChangedAnswer(member="scope", value='"Mail.Send"'))
        found = await here.visit(only("token", "draft-id"))
    assert "Unauthorized Grant Mail.Send.Shared, Mail.ReadWrite" in found["token"].seen
    assert found["draft-id"] == LeftOut("the account has no Mail.ReadWrite")


async def test_a_token_answer_that_is_not_known_any_more_is_not_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that had it was killed."""
    monkeypatch.setattr(Grants, "last_answer", lambda _: {})
    async with practice(tmp_path) as here:
        found = await here.visit(only("token-answer"))
    assert found["token-answer"] == NotKnown(
        "what Entra answered last is not known any more; run it again"
    )
