"""`graphrelay teach-headers`: what was sent is shown, and the exit status says whether it was."""

import asyncio
from pathlib import Path

from tests.cli.test_commands import configured, run
from tests.world import world


def test_an_account_without_authorization_sends_nothing(tmp_path: Path) -> None:
    shown = run("--config", configured(tmp_path), "teach-headers", "website", "X-Shop")
    assert shown.returncode == 1
    assert shown.stdout == ""
    assert "there is no token to send with: Account 'website' has not been auth" in shown.stderr


async def test_the_mailbox_and_the_names_are_shown(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        asked = ("--config", str(here.config), "teach-headers", "website", "X-Shop", "X-Other")
        shown = await asyncio.to_thread(run, *asked, "--mailbox", "wp@contoso.com")
        [lesson] = here.cloud.mailboxes.submitted
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout == "wp@contoso.com was sent a message with X-Shop, X-Other\n"
    assert lesson.received == ("wp@contoso.com",)


async def test_a_name_that_is_no_header_field_is_refused_with_status_1(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        asked = ("--config", str(here.config), "teach-headers", "website", "Subject")
        shown = await asyncio.to_thread(run, *asked)
        assert here.cloud.mailboxes.submitted == []
    assert shown.returncode == 1
    assert "'Subject' is not the name of a header field that begins with X-" in shown.stderr
