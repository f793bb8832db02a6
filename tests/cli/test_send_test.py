"""`graphrelay send-test`: each step is printed, and the exit status is the result."""

import asyncio
from pathlib import Path

from graphrelay.sandbox.faults import Answer
from tests.cli.test_commands import configured, run
from tests.world import world


def test_what_needs_a_daemon_says_so(tmp_path: Path) -> None:
    shown = run("--config", configured(tmp_path), "send-test", "--to", "a@example.org")
    assert shown.returncode == 1
    assert "no relay is running, and send-test needs one. Run: graphrelay --config" in shown.stderr


async def test_each_step_is_printed_and_a_message_that_was_accepted_is_a_success(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as here:
        asked = ("--config", str(here.config), "send-test", "--to", "alice@contoso.com")
        shown = await asyncio.to_thread(run, *asked)
    assert shown.returncode == 0, shown.stderr
    first, *_, last = shown.stdout.splitlines()
    assert first.startswith("accepted ")
    assert last.startswith("relayed ")


async def test_a_message_that_is_delayed_is_no_success(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        here.cloud.faults.on(Answer(status=503, part="graph"))
        asked = ("--config", str(here.config), "send-test", "--to", "alice@contoso.com")
        shown = await asyncio.to_thread(run, *asked, "--patience", "0.5")
    assert shown.returncode == 1
    assert "delayed" in shown.stdout
    assert shown.stdout.splitlines()[-1].startswith("waiting ")
