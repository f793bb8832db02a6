"""`graphrelay spool copy` as a process: killed in the middle, and with large messages."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from graphrelay.clock import SystemClock
from graphrelay.journal import Journal
from graphrelay.spool.sqlite import SqliteSpool
from tests.cli.test_commands import configured
from tests.spool.copies import contents, everything
from tests.spool.mail import a_message, put

MESSAGES = 1000


async def fill(directory: Path, messages: int, octets: int = 0) -> None:
    clock = SystemClock()
    async with SqliteSpool.open(directory, clock, Journal(clock), reserve=0) as spool:
        await everything(spool)
        large = spool.incoming()
        for _ in range(octets >> 20):
            await large.write(bytes(1 << 20))
        await spool.accept(a_message(), large)
        small = (put(spool, f"message {number}".encode()) for number in range(messages))
        await asyncio.gather(*small)
    async with SqliteSpool.open(directory, clock, Journal(clock), reserve=0):
        pass  # it counts what was in flight, as each start does


class Copying:
    """The command, as a process of its own."""

    def __init__(self, directory: Path, url: str, *, back: bool = False) -> None:
        self.directory = directory
        self.back = back
        self.url = url

    def start(self) -> "subprocess.Popen[str]":
        config = configured(self.directory)
        environment = {"GRAPHRELAY_SPOOL__URL": self.url} if self.back else {}
        return subprocess.Popen(
            [
                *(sys.executable, "-m", "graphrelay", "--config", config, "spool", "copy"),
                *("--to", "sqlite" if self.back else self.url),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
        )

    def kill_after(self, line: str) -> None:
        """Start it, and kill it -9 when it has reported that."""
        with self.start() as process:
            assert process.stderr
            told = [""]
            while not re.match(line, told[-1]):
                told.append(process.stderr.readline())
                assert told[-1], f"it ended before it reported {line!r}: {told}"
            process.send_signal(signal.SIGKILL)

    def complete(self) -> str:
        with self.start() as process:
            out, errors = process.communicate(timeout=240)
            assert process.returncode == 0, errors
        return out

    def peak(self) -> int:
        """The memory that it needed at most, in octets."""
        with self.start() as process:
            assert process.stdout
            assert process.stderr
            errors = process.stderr.read()
            process.stdout.read()
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            assert process.returncode == 0, errors
        return used.ru_maxrss * 1024


def rows_in(schema: str, database: str) -> set[tuple[int, str]]:
    """The messages, each with the transaction that wrote its row."""
    with psycopg.connect(database) as connection:
        found = connection.execute(f"SELECT id, xmin::text FROM {schema}.messages")
        return set(found.fetchall())


STEPS = ("messages: .* copied", "bodies: .* compared")


@pytest.mark.timeout(900)
def test_a_copy_that_is_killed_in_the_middle_continues_and_doubles_nothing(
    tmp_path: Path, database: str
) -> None:
    asyncio.run(fill(tmp_path / "state", MESSAGES))
    before = contents(tmp_path / "state")
    assert len(before["messages"]) > MESSAGES
    written = set[tuple[int, str]]()
    for line in STEPS:
        Copying(tmp_path, database).kill_after(line)
        there = rows_in("graphrelay_copying", database)
        assert written <= there, "nothing is written once more"
        written = there
    shown = Copying(tmp_path, database).complete()
    assert written
    assert written <= rows_in("graphrelay", database)
    assert re.search(rf"^messages +{len(before['messages']):,} ", shown, re.MULTILINE)
    assert not (tmp_path / "state" / "spool.db").exists()
    (tmp_path / "again").mkdir()
    for line in STEPS[:1]:
        Copying(tmp_path / "again", database, back=True).kill_after(line)
    Copying(tmp_path / "again", database, back=True).complete()
    assert contents(tmp_path / "again" / "state") == before


@pytest.mark.timeout(900)
def test_a_large_message_is_never_in_memory_as_a_whole(tmp_path: Path, database: str) -> None:
    octets = 145_000_000
    asyncio.run(fill(tmp_path / "state", 0))
    small = Copying(tmp_path, database).peak()
    asyncio.run(fill(tmp_path / "large" / "state", 0, octets))
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DROP SCHEMA graphrelay CASCADE")
    there = Copying(tmp_path / "large", database).peak()
    (tmp_path / "again").mkdir()
    back = Copying(tmp_path / "again", database, back=True).peak()
    print(f"\nMB: {small >> 20} without it, {there >> 20} there, {back >> 20} back")
    assert max(there, back) < small + 32 * 1024 * 1024
