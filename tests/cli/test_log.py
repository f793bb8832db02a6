"""Why a device could not send: its last failed session, as an admin asks for it."""

import asyncio
import smtplib
from pathlib import Path

import pytest

from tests.e2e.commands import graphrelay
from tests.world import World, world

TRANSCRIBED = """
[smtp]
transcripts = ["127.0.0.1"]
"""


def fail(here: World, name: str) -> None:
    with here.client() as printer:
        printer.ehlo(name)
        with pytest.raises(smtplib.SMTPSenderRefused):
            printer.sendmail("<<nobody>>", ["alice@contoso.com"], "x")


async def test_log_shows_the_last_failed_conversation_of_a_client(tmp_path: Path) -> None:
    async with world(tmp_path, extra=TRANSCRIBED) as here:
        for name in ("before", "printer"):
            await asyncio.to_thread(fail, here, name)
        (shown, listed) = [
            await graphrelay(here.config, "log", "--client", "127.0.0.1", *options)
            for options in ([], ["--json"])
        ]
    lines = shown.out.splitlines()
    assert lines[1].startswith("last failed session with 127.0.0.1 on 127.0.0.1:0, ")
    assert "    C: ehlo printer" in lines
    assert any(line.startswith("    S: 553 5.1.7 That sender is no valid") for line in lines)
    (event,) = listed.events
    assert [f"    {line}" for line in event["lines"]] == lines[2:]
    refused = here.events("refused")
    assert [(entry.fields["client"], entry.fields["stage"]) for entry in refused] == [
        ("127.0.0.1", "MAIL")
    ] * 2


async def test_a_client_that_is_not_named_has_none_and_the_admin_hears_how(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await asyncio.to_thread(fail, here, "printer")
        shown = await graphrelay(here.config, "log", "--client", "127.0.0.1")
    assert shown.code == 0
    assert 'add "127.0.0.1" to smtp.transcripts' in shown.err
    assert "C: " not in shown.out
