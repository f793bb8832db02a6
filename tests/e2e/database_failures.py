"""A relay whose database fails: it is killed and restarted, or a standby takes its place.

    python -m tests.e2e.database_failures killed|synchronous|asynchronous --rounds 10

    flood ──▶ relay ── a URL with two hosts ──▶ primary ── streaming replication ──▶ standby

In each round mail is received and the primary is killed by kill -9. Either it is restarted, or the
standby is promoted and a new standby is made. With a synchronous standby nothing that was
acknowledged may be lost. With an asynchronous one, whose replication is held up here, what was
accepted meanwhile is lost, and the run reports how much.
"""

# ruff: noqa: ASYNC110 (other processes bring about what is waited for)

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random

from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.config import relay_config
from graphrelay.sandbox.faults import Answer
from graphrelay.sandbox.mailbox_settings import MailSettings
from tests.e2e.flood import Flood
from tests.e2e.kill_nine import CONNECTIONS, SENDER, Daemon, Verdict, free_port, judge
from tests.spool.postgres_server import PostgresServer, a_server, running

QUICK = ("fsync=off", "full_page_writes=off")
"""What a killed server has written stays with the system; it is not the machine that fails."""


def database_url(*servers: PostgresServer) -> str:
    """Of the one of them that takes writes."""
    places = ",".join(f"127.0.0.1:{server.port}" for server in servers)
    return f"postgresql://relay@{places}/postgres?sslmode=disable&connect_timeout=2"


@contextlib.asynccontextmanager
async def relaying(folder: Path, url: str) -> AsyncIterator[tuple[Sandbox, Daemon, Flood]]:
    """A cloud, a relay on that database, which listens, and the senders."""
    async with Sandbox(mail_settings=MailSettings(keep_bodies=False)) as cloud:
        port = free_port()
        config = relay_config(cloud, folder / "state", f"127.0.0.1:{port}", "any-user")
        config += f'\n[delivery]\nretry_min = "1s"\n[spool]\nurl = "{url}"\nlease = "4s"\n'
        daemon = Daemon(folder, config)
        mark = f"database{os.getpid()}"
        flood = Flood("127.0.0.1", port, sender=SENDER, recipient="anna@example.org", mark=mark)
        try:
            await daemon.authorize()
            await daemon.start()
            await flood.greeted()
            yield cloud, daemon, flood
        finally:
            await daemon.abandon()


async def judged(
    server: PostgresServer,
    here: tuple[Sandbox, Daemon, Flood],
    failures: int,
    database: str = "postgres",
) -> Verdict:
    """Once the queue in the database is empty."""
    cloud, daemon, flood = here
    async with asyncio.timeout(120):
        while server.execute(_WAITING, database):
            await asyncio.sleep(0.1)
    await daemon.stop()
    # What was refused since nobody knew whether it was committed may have been begun.
    flood.told.unanswered |= flood.told.turned_away
    return judge(flood, cloud.mailboxes.submissions, failures)


_WAITING = "SELECT 1 FROM graphrelay.submissions WHERE state = 'queued' LIMIT 1"


class Pair:
    """A primary and its standby."""

    def __init__(self, primary: PostgresServer, standby: PostgresServer) -> None:
        self.primary, self.standby = primary, standby

    def replicate(self) -> None:
        """Make a standby, and return when it has all that the primary has."""
        self.standby.copy_of(self.primary)
        self.standby.start()
        _until(self.primary, "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'")

    def be_synchronous(self) -> None:
        """From now on a commit waits for the standby; also on a standby that is promoted, whose
        settings are its own."""
        for server in (self.primary, self.standby):
            server.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            server.execute("SELECT pg_reload_conf()")
        _until(self.primary, "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'")

    def hold_replication_up(self) -> None:
        self.standby.execute("ALTER SYSTEM SET primary_conninfo = ''")
        self.standby.execute("SELECT pg_reload_conf()")
        _until(self.standby, "SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_wal_receiver)")

    def fail_over(self) -> None:
        """The primary is lost; the standby takes its place."""
        self.primary.stop(signal.SIGKILL)
        self.standby.execute("SELECT pg_promote()")
        self.primary, self.standby = self.standby, self.primary


def _until(server: PostgresServer, sql: str) -> None:
    deadline = time.monotonic() + 60
    while not server.execute(sql):
        if time.monotonic() > deadline:
            raise TimeoutError(sql)
        time.sleep(0.05)


@contextlib.contextmanager
def pair() -> Iterator[Pair]:
    with a_server(QUICK, free_port()) as primary, a_server(QUICK, free_port()) as standby:
        primary.make()
        primary.start()
        both = Pair(primary, standby)
        both.replicate()
        yield both


async def synchronous(rounds: int, messages: int, seed: int, folder: Path) -> Verdict:
    """The verdict after so many failovers."""
    dice = Random(seed)
    with pair() as both:
        both.be_synchronous()
        async with relaying(folder, database_url(both.primary, both.standby)) as here:
            _, _, flood = here
            for number in range(rounds):
                before = len(flood.told.acknowledged)
                async with asyncio.timeout(240), asyncio.TaskGroup() as tasks:
                    tasks.create_task(flood.send(messages, CONNECTIONS))
                    await flood.acknowledged(before + dice.randrange(1, messages))
                    await asyncio.to_thread(both.fail_over)
                    # Until there is another standby, no commit is answered.
                    assert both.primary.execute("SHOW synchronous_standby_names") == [("*",)]
                    await asyncio.to_thread(both.replicate)
                print(
                    f"round {number + 1}: {len(flood.told.acknowledged)} acknowledged", flush=True
                )
            return await judged(both.primary, here, rounds)


async def asynchronous(messages: int, folder: Path) -> Verdict:
    """The verdict after a failover before which the standby had stopped to follow."""
    with pair() as both:
        async with relaying(folder, database_url(both.primary, both.standby)) as here:
            cloud, _, flood = here
            await flood.send(messages, CONNECTIONS)
            async with asyncio.timeout(120):
                while len(cloud.mailboxes.submissions) < messages:
                    await asyncio.sleep(0.05)
            cloud.faults.on(Answer(status=503, path="/v1.0/users/", times=None))
            await asyncio.to_thread(both.hold_replication_up)
            await flood.send(messages, CONNECTIONS)
            await asyncio.to_thread(both.fail_over)
            await flood.send(1, 1)
            cloud.faults.clear()
            return await judged(both.primary, here, 1)


async def killed(rounds: int, messages: int, seed: int, folder: Path) -> Verdict:
    """The verdict after the only server was killed and restarted so often."""
    dice = Random(seed)
    with running(QUICK, free_port()) as server:
        async with relaying(folder, database_url(server)) as here:
            _, _, flood = here
            for number in range(rounds):
                before = len(flood.told.acknowledged)
                async with asyncio.timeout(240), asyncio.TaskGroup() as tasks:
                    tasks.create_task(flood.send(messages, CONNECTIONS))
                    await flood.acknowledged(before + dice.randrange(1, messages))
                    await asyncio.to_thread(server.stop, signal.SIGKILL)
                    await asyncio.to_thread(server.start)
                print(
                    f"round {number + 1}: {len(flood.told.acknowledged)} acknowledged", flush=True
                )
            return await judged(server, here, rounds)


def _report(number: int, flood: Flood) -> None:
    print(f"round {number + 1}: {len(flood.told.acknowledged)} acknowledged", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("failure", choices=("killed", "synchronous", "asynchronous"))
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--messages", type=int, default=500, help="in each round")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        match chosen.failure:
            case "killed":
                work = killed(chosen.rounds, chosen.messages, chosen.seed, folder)
            case "synchronous":
                work = synchronous(chosen.rounds, chosen.messages, chosen.seed, folder)
            case _:
                work = asynchronous(chosen.messages, folder)
        verdict = asyncio.run(work)
    print(verdict)
    return 0 if verdict.holds else 1


if __name__ == "__main__":
    sys.exit(main())
