"""The database of a relay fails: what was accepted is as safe as its replication makes it."""

# ruff: noqa: ASYNC110 (other processes bring about what is waited for)

import asyncio
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.database_failures import (
    QUICK,
    asynchronous,
    database_url,
    judged,
    killed,
    relaying,
    synchronous,
)
from tests.e2e.kill_nine import free_port
from tests.spool.postgres_server import running
from tests.tools import machine_cannot


async def test_nothing_is_lost_when_the_database_is_killed_and_restarted(tmp_path: Path) -> None:
    verdict = await killed(rounds=2, messages=100, seed=1, folder=tmp_path)
    assert verdict.acknowledged == 200
    assert verdict.holds, verdict


async def test_nothing_is_lost_when_a_synchronous_standby_takes_its_place(tmp_path: Path) -> None:
    verdict = await synchronous(rounds=2, messages=100, seed=1, folder=tmp_path)
    assert verdict.acknowledged == 200
    assert verdict.holds, verdict


async def test_what_an_asynchronous_standby_had_not_got_is_lost(tmp_path: Path) -> None:
    """docs/several-hosts.md says so."""
    verdict = await asynchronous(messages=30, folder=tmp_path)
    assert verdict.acknowledged == 61
    assert verdict.lost == 30


@pytest.fixture
def small_disk() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="small-", dir="/tmp") as place:
        command = ["mount", "-t", "tmpfs", "-o", "size=24m,mode=777", "tmpfs", place]
        made = subprocess.run(command, capture_output=True, text=True)
        if made.returncode:
            machine_cannot("mounts", made.stderr)
        try:
            yield Path(place)
        finally:
            subprocess.run(["umount", "-l", place], check=True)


async def test_a_full_disk_of_the_database_refuses_mail_and_the_relay_goes_on_by_itself(
    tmp_path: Path, small_disk: Path
) -> None:
    with running(QUICK, free_port()) as server:
        space = small_disk / "space"
        space.mkdir()
        os.chown(space, *_owner(server.data))
        server.execute(f"CREATE TABLESPACE small LOCATION '{space}'")
        server.execute("CREATE DATABASE mail TABLESPACE small")
        url = database_url(server).replace("/postgres?", "/mail?")
        async with relaying(tmp_path, url) as here:
            _, daemon, flood = here
            await flood.send(20, 4)
            filler = small_disk / "filler"
            filler.write_bytes(b"")
            with filler.open("ab") as file:
                _fill(file.fileno())
            sending = asyncio.create_task(flood.send(200, 10))
            async with asyncio.timeout(60):
                while not flood.told.refused:
                    await asyncio.sleep(0.05)
            filler.unlink()
            async with asyncio.timeout(60):
                await sending
            verdict = await judged(server, here, 0, "mail")
            assert "No space left" in daemon.journal
            assert verdict.acknowledged == 220
            assert verdict.holds, verdict
            assert {reply[:3] for reply in flood.told.refused} <= {"451", "452"}


_SLOW_COMMIT = """CREATE FUNCTION stay() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep(600); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER stay AFTER INSERT ON graphrelay.messages
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION stay()"""
_COMMITTING = "SELECT pid FROM pg_stat_activity WHERE query = 'COMMIT' AND wait_event = 'PgSleep'"
_DROPPING = "SELECT FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted"


async def test_a_relay_that_can_never_know_what_was_committed_says_what_follows_and_ends(
    tmp_path: Path,
) -> None:
    """Its session is ended during COMMIT, and the table in which it would look is gone."""
    with running(QUICK, free_port()) as server:
        async with relaying(tmp_path, database_url(server)) as (_, daemon, flood):
            await flood.send(2, 1)
            await daemon.says(" relayed ", times=2)
            server.execute(_SLOW_COMMIT)
            before = len(daemon.journal)
            async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
                sending = tasks.create_task(flood.send(1, 1))
                while not (found := server.execute(_COMMITTING)):
                    await asyncio.sleep(0.05)
                drop = "DROP TABLE graphrelay.commits"
                tasks.create_task(asyncio.to_thread(server.execute, drop))
                while not server.execute(_DROPPING):
                    await asyncio.sleep(0.05)
                server.execute(f"SELECT pg_terminate_backend({found[0][0]})")
                assert await daemon.ends() == 1
                sending.cancel()
            *said, last = daemon.journal[before:].splitlines()
    assert [line.split()[1] for line in said] == ["smtp-trouble", "refused"], "of the client"
    assert last == (
        "graphrelay: It cannot be found out whether the last transaction was committed: relation"
        ' "commits" does not exist. The relay ends; systemd starts it again. What was answered with'
        " 250 is kept, and what was in flight is settled as after a crash. Messages that were"
        " refused at this moment may have been kept, and arrive twice if they are sent again."
    )


def _owner(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_uid, status.st_gid


def _fill(file: int) -> None:
    for size in (1 << 20, 4096):
        try:
            while True:
                os.write(file, bytes(size))
        except OSError:
            pass
