"""Why a device could not send: its last failed session, as an admin asks for it."""

import asyncio
import json
import smtplib
from pathlib import Path

import click
import pytest

from graphrelay.cli.log import command
from graphrelay.spool.values import OUTCOMES
from tests.e2e.commands import graphrelay, started
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
    assert any(line.startswith("    S: 553 5.1.7 Invalid sender address") for line in lines)
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


def refuse(here: World, sender: str) -> None:
    with here.client() as printer:
        printer.ehlo("printer")
        with pytest.raises(smtplib.SMTPSenderRefused):
            printer.sendmail(sender, ["alice@contoso.com"], "x")


async def test_log_shows_what_was_refused_once_with_the_number_of_times(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        for sender in ("a@b@c", "<<nobody>>", "<<nobody>>"):
            await asyncio.to_thread(refuse, here, sender)
    async with world(tmp_path) as here:
        (shown, listed, of_others) = [
            await graphrelay(here.config, "log", "--refused", *options)
            for options in ([], ["--json"], ["--client", "192.0.2.7"])
        ]
    assert (shown.code, of_others.out) == (0, "")
    assert [(event["times"], event["stage"]) for event in listed.events] == [
        (1, "MAIL"),
        (2, "MAIL"),
    ]
    once, twice = shown.out.splitlines()
    assert "  127.0.0.1  refused at MAIL  " in once
    assert "  553 5.1.7 Invalid sender address" in once
    assert "times" not in once
    assert "[2 times since " in twice


async def test_refusals_are_not_kept_where_the_configuration_says_so(tmp_path: Path) -> None:
    async with world(tmp_path, extra="[log]\nrefusals = false\n") as here:
        await asyncio.to_thread(refuse, here, "<<nobody>>")
    async with world(tmp_path) as here:
        asked = await graphrelay(here.config, "log", "--refused")
    assert (asked.code, asked.out) == (0, "")


async def test_what_was_refused_has_no_id_and_no_outcome(tmp_path: Path) -> None:
    for option in (["--id", "4QX7K2M9"], ["--outcome", "failed"]):
        asked = await graphrelay(tmp_path / "config.toml", "log", "--refused", *option)
        assert asked.code == 2
        assert "never became a message" in asked.err


async def test_what_is_refused_can_be_followed(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        await asyncio.to_thread(refuse, here, "<<nobody>>")
        async with started(here.config, "log", "--refused", "--follow", "--json") as process:
            assert process.stdout
            for times in (1, 2):
                line = await asyncio.wait_for(process.stdout.readline(), 30)
                assert json.loads(line)["times"] == times
                await asyncio.to_thread(refuse, here, "<<nobody>>")


@pytest.mark.parametrize(
    "moment", ["tomorrow", "9999-12-31T23:59-05:00", "0001-01-01T00:00+05:00", "99999999999d"]
)
async def test_a_moment_that_no_calendar_has_is_a_wrong_command_line(
    tmp_path: Path, moment: str
) -> None:
    asked = await graphrelay(tmp_path / "config.toml", "log", "--since", moment)
    assert asked.code == 2
    assert "is neither a date" in asked.err


def test_every_outcome_can_be_asked_for() -> None:
    (option,) = [one for one in command.params if one.name == "outcome"]
    assert isinstance(option.type, click.Choice)
    assert set(option.type.choices) == set(OUTCOMES)
