"""`graphrelay queue`: the messages to change must be named."""

import asyncio
import json
import threading
from pathlib import Path

from graphrelay.sandbox.faults import Stall
from graphrelay.spool.sqlite.files.lock import Lock
from tests.cli.test_commands import configured, run
from tests.cli.test_lanes import send
from tests.world import world

VERBS = {"retry": "sent now", "hold": "held", "delete": "deleted", "release": "released"}


def test_verbs_of_the_queue_want_to_know_which_messages(tmp_path: Path) -> None:
    asked = ("--config", configured(tmp_path), "queue", "delete", "--reason", "spam")
    assert run(*asked).returncode == 2
    assert run(*asked, "--all", "ABCDEF").returncode == 2
    nothing = run(*asked, "--sender", "@fabrikam.com", "--older-than", "2h")
    assert (nothing.returncode, nothing.stdout) == (1, "")
    assert "there is no message to delete" in nothing.stderr


async def test_all_may_be_deleted_while_some_of_it_is_on_its_way(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        stall = Stall(path="/v1.0/users/")
        here.cloud.faults.on(stall)
        await asyncio.to_thread(send, here, 12)
        async with asyncio.timeout(10):
            while len(here.events("attempt")) < 4:  # noqa: ASYNC110 (four events of one name)
                await asyncio.sleep(0)
        asked = ("--config", str(here.config), "queue", "delete", "--sender", "@contoso.com")
        done = await asyncio.to_thread(run, *asked, "--reason", "a mistake", "--json")
        told = [json.loads(line) for line in done.stdout.splitlines()]
        assert sum(event["changed"] for event in told) == 8
        assert sum("on its way" in event.get("reason", "") for event in told) == 4
        here.cloud.faults.off(stall)
        await here.cloud.mailboxes.arrived(4)
        assert sum(lane.waiting for lane in await here.relay.queue.lanes()) <= 4
    assert len(here.cloud.mailboxes.submitted) == 4
    assert [entry.fields["reason"] for entry in here.events("deleted")] == ["a mistake"] * 8


def test_a_command_without_a_daemon_waits_for_another_that_has_the_spool(tmp_path: Path) -> None:
    config = configured(tmp_path)
    assert run("--config", config, "queue", "list").returncode == 0
    [database] = tmp_path.rglob("spool.db")
    lock = Lock.take(database.parent)
    timer = threading.Timer(1.0, lock.give_back)
    timer.start()
    listed = run("--config", config, "queue", "list")
    timer.join()
    assert listed.returncode == 0, listed.stderr


async def test_all_is_deleted_only_after_a_question(tmp_path: Path) -> None:
    async with world(tmp_path, scenario="user", authorized=False) as here:
        asked = ("--config", str(here.config), "queue", "delete", "--all", "--reason", "spam")
        nothing = await asyncio.to_thread(run, *asked)
        assert nothing.stderr == "graphrelay: there is no message to delete\n"
        await asyncio.to_thread(send, here, 2)
        await here.event("paused")
        unsure = await asyncio.to_thread(run, *asked, answer="n\n")
        assert "Delete all 2 messages in the queue?" in unsure.stderr
        assert unsure.returncode == 130
        sure = await asyncio.to_thread(run, *asked, answer="y\n")
        assert sure.stdout.count(": deleted") == 2


async def test_a_dry_run_lists_and_changes_nothing_and_a_list_says_why_mail_waits(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, scenario="user", authorized=False) as here:
        await asyncio.to_thread(send, here, 2)
        await here.event("paused")
        asked = ("--config", str(here.config), "queue")
        listed = await asyncio.to_thread(run, *asked, "list", "--limit", "1")
        assert "waits: authorization" in listed.stdout
        assert listed.stdout.count("website") == 2
        assert "Run: graphrelay authorize website" in listed.stdout
        assert "1 of 2 messages; --limit shows more" in listed.stderr
        unknown = await asyncio.to_thread(run, *asked, "list", "--account", "webseite")
        assert "there is no account 'webseite', only website" in unknown.stderr
        for verb, done in VERBS.items():
            if verb == "release":
                held = await asyncio.to_thread(run, *asked, "hold", "--all", "--reason", "so")
                assert held.returncode == 0, held
            trial = await asyncio.to_thread(
                run, *asked, verb, "--sender", "@contoso.com", "--dry-run"
            )
            assert trial.returncode == 0, trial.stderr
            assert trial.stdout.count(f": would be {done} (") == 2
