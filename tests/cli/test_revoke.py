"""`graphrelay revoke`: the authorization is deleted, and the mail waits."""

import asyncio
from pathlib import Path

import pytest

from tests.cli.test_status import ANY, authorized, status
from tests.e2e.commands import graphrelay
from tests.e2e.scenarios import asked
from tests.world import World


def send(here: World) -> None:
    with here.client() as client:
        client.sendmail(ANY.mailbox, ["alice@contoso.com"], "Subject: waits\n\nx\n")


async def test_mail_of_a_revoked_account_waits_for_the_next_authorization(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with authorized(ANY, tmp_path, monkeypatch) as here:
        nobody = await graphrelay(here.config, "revoke", "nobody")
        assert nobody.code == 1
        assert nobody.err.startswith("graphrelay: there is no account 'nobody'")
        for answer in ("n\n", "\n", ""):
            unsure = await graphrelay(here.config, "revoke", "website", answer=answer)
            assert unsure.code == 130
            assert "Continue? [y/N]: " in unsure.err
        assert (await status(here)).code == 0
        shown = await graphrelay(here.config, "revoke", "website", "--yes")
        assert shown.code == 0
        assert "its tokens were deleted, and its mail waits. To send it again: " in shown.out
        assert f"graphrelay --config {here.config} authorize website" in shown.out
        assert (await status(here)).out.startswith("Unauthorized")
        await asyncio.to_thread(send, here)
        await here.event("paused")
        assert [event async for event in asked(here, "authorize", by="root")]
        await here.cloud.mailboxes.arrived(1)
