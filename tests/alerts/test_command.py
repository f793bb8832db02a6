"""The admin's own program: its input, and the result."""

import asyncio
import json
import os
import select
import sys
from asyncio.subprocess import Process
from pathlib import Path
from typing import Any

import pytest

from graphrelay.alerts.channel import AlertNotSent, Sent
from graphrelay.alerts.command import TIME_LIMIT, Command
from tests.alerts.story import an_alert
from tests.clock import FakeClock, settle

ALERT = an_alert('it is broken; $(touch /tmp/never) `x` "y" --help')


def python(program: str, *arguments: str) -> Command:
    return Command((sys.executable, "-c", program, *arguments))


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Process]:
    """The programs that were started, as asyncio knows them."""
    start, found = asyncio.create_subprocess_exec, []

    async def noted(*words: str, **options: Any) -> Process:
        found.append(await start(*words, **options))
        return found[-1]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", noted)
    return found


async def test_it_gets_json_on_stdin_and_the_sentence_as_its_last_argument(tmp_path: Path) -> None:
    got = tmp_path / "got"
    program = (
        "import sys, json, os; json.dump([sys.argv[1:], json.load(sys.stdin), dict(os.environ)],"
        " open(sys.argv[1], 'w'))"
    )
    assert await python(program, str(got)).send(ALERT) == Sent()
    arguments, given, _ = json.loads(got.read_text())
    assert arguments == [str(got), ALERT.sentence]
    assert given == ALERT.plain


async def test_it_gets_no_secret_of_our_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAPHRELAY_ACCOUNTS__X__CLIENT_SECRET", "hush")
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere")
    got = tmp_path / "got"
    program = "import sys, os, json; json.dump(dict(os.environ), open(sys.argv[1], 'w'))"
    assert await python(program, str(got)).send(ALERT) == Sent()
    environment = json.loads(got.read_text())
    assert "PATH" in environment
    assert not {"GRAPHRELAY_ACCOUNTS__X__CLIENT_SECRET", "NOTIFY_SOCKET"} & set(environment)


async def test_a_program_that_reads_nothing_is_fine() -> None:
    assert await Command(("/bin/true",)).send(ALERT) == Sent()


async def test_a_failure_is_reported_with_the_last_line_of_its_standard_error() -> None:
    program = "import sys; sys.stderr.write('x' * 300_000 + chr(10) + 'no route'); sys.exit(3)"
    assert await python(program).send(ALERT) == AlertNotSent(
        "ended with status 3: no route", again=True
    )


async def test_a_missing_program_is_reported_and_not_tried_again() -> None:
    outcome = await Command(("/nowhere/notify",)).send(ALERT)
    assert isinstance(outcome, AlertNotSent)
    assert "No such file" in outcome.reason
    assert not outcome.again


async def test_a_program_that_takes_too_long_is_killed_with_all_it_started(tmp_path: Path) -> None:
    begun, clock = tmp_path / "begun", FakeClock()
    os.mkfifo(begun)
    script = 'sleep 600 & echo $! >"$0"; wait'
    sending = asyncio.create_task(Command(("/bin/sh", "-c", script, str(begun)), clock).send(ALERT))
    child = os.pidfd_open(int(await asyncio.to_thread(begun.read_text)))
    await clock.advance(TIME_LIMIT)
    outcome = await sending
    assert isinstance(outcome, AlertNotSent)
    assert "killed" in outcome.reason
    assert outcome.again
    await asyncio.to_thread(select.select, [child], [], [])  # readable when it has ended
    os.close(child)


async def test_a_program_that_succeeds_and_leaves_another_running_has_sent_the_alert(
    started: list[Process],
) -> None:
    clock = FakeClock()
    script = "read line; sleep 600 &"
    sending = asyncio.create_task(Command(("/bin/sh", "-c", script), clock).send(ALERT))
    async with asyncio.timeout(10):
        while not started or started[0].returncode is None:  # noqa: ASYNC110 (no event says so)
            await asyncio.sleep(0)
    await clock.advance(TIME_LIMIT)
    assert await sending == Sent()


def _is_dead(pid: int) -> bool:
    try:
        return "Z" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True


async def test_a_program_that_cannot_be_killed_is_not_waited_for(
    started: list[Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that became another user's, or that waits for a dead disk."""

    def may_not(*_: int) -> None:
        raise PermissionError

    clock = FakeClock()
    words = (sys.executable, "-c", "import time; time.sleep(600)")
    with monkeypatch.context() as powerless:
        powerless.setattr(os, "killpg", may_not)
        sending = asyncio.create_task(Command(words, clock).send(ALERT))
        async with asyncio.timeout(10):
            while not clock.sleepers:  # noqa: ASYNC110 (the clock has no event for it)
                await asyncio.sleep(0)
        await clock.advance(2 * TIME_LIMIT)
        outcome = await sending
    assert isinstance(outcome, AlertNotSent)
    assert outcome.again
    started[0].kill()
    await started[0].wait()
    await settle()


async def test_a_machine_without_room_for_a_program_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def no_room(*_: object, **__: object) -> None:
        raise BlockingIOError("Resource temporarily unavailable")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", no_room)
    outcome = await Command(("/bin/true",)).send(ALERT)
    assert isinstance(outcome, AlertNotSent)
    assert outcome.again


async def test_a_cancelled_alert_leaves_no_program_behind(tmp_path: Path) -> None:
    started = tmp_path / "started"
    os.mkfifo(started)
    program = (
        "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"
    )
    sending = asyncio.create_task(python(program, str(started)).send(ALERT))
    pid = int(await asyncio.to_thread(started.read_text))
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert _is_dead(pid)
