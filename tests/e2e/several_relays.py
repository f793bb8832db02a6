"""Three relays with one queue; one after the other is killed, frozen or cut off.

    python -m tests.e2e.several_relays --rounds 50 --messages 500 --faults

    flood ── HAProxy ──▶ relay a, b, c (processes) ── HTTPS ──▶ sandbox
                            └── each by a line of its own ──▶ PostgreSQL

In each round one relay fails while mail is received: it is killed by kill -9, stopped for longer
than its lease, or cut off from the database; or the database itself is killed by kill -9 and
restarted. The time until another relay sends from its mailboxes is measured. No acknowledged
message may be lost, and no mailbox may ever get more than four requests at a time. Only messages in
flight may be duplicated.

A relay's requests count for `REQUEST_LIMIT` after it was lost; here the cloud answers at once.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Literal, get_args

import psycopg

from graphrelay.oauth.vault.key import CREDENTIAL_NAME, new_key_text
from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.config import relay_config
from graphrelay.sandbox.directory import User, contoso
from graphrelay.sandbox.mailbox_settings import MailSettings
from tests.e2e.flood import Flood
from tests.e2e.kill_nine import Daemon, Verdict, bad_day, free_port, judge, withheld
from tests.spool import postgres_server
from tests.spool.postgres_server import PostgresServer
from tests.tools import needs

RELAYS = "abc"
CONNECTIONS = 20
LEASE = 2.0
REQUEST_LIMIT = 5.0
"""Seconds."""
Trouble = Literal["killed", "frozen", "cut off", "database killed"]
PATIENCE = 60.0
"""Seconds in which another relay must have gone on."""


def given_key(state: Path, key: bytes) -> None:
    """A state directory with the key of the vault that the relays share."""
    state.mkdir(parents=True)
    file = state / CREDENTIAL_NAME
    file.touch(0o600)
    file.write_bytes(key)


def config_of(host: str, url: str) -> str:
    return f"""
[[routes]]
account = "website"
mailbox = "sender"

[delivery]
retry_min = "1s"

[spool]
url = "{url}"
lease = "{LEASE:.0f}s"
request_limit = "{REQUEST_LIMIT:.0f}s"
""".replace("[[smtp", f"# {host}\n[[smtp")


class Line:
    """A relay's connection to the database, which can be cut: then no octets get through."""

    def __init__(self, to_port: int) -> None:
        self.port = free_port()
        self._to_port = to_port
        self._whole = asyncio.Event()
        self._whole.set()
        self._carrying: set[asyncio.Task[None]] = set()

    async def open(self, stack: AsyncExitStack) -> None:
        server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
        stack.push_async_callback(self._hang_up)
        stack.callback(server.close)

    def cut(self) -> None:
        self._whole.clear()

    async def mend(self) -> None:
        """Connections that were cut stay broken, as after a network failure."""
        await self._hang_up()
        self._whole.set()

    async def _hang_up(self) -> None:
        carrying = list(self._carrying)
        for task in carrying:
            task.cancel()
        await asyncio.gather(*carrying, return_exceptions=True)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until one side closes it, or the task is cancelled."""
        task = asyncio.current_task()
        assert task is not None
        self._carrying.add(task)
        writers = [writer]
        try:
            there, out = await asyncio.open_connection("127.0.0.1", self._to_port)
            writers.append(out)
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(reader, out))
                pumps.create_task(self._pump(there, writer))
        except (OSError, ExceptionGroup, asyncio.CancelledError):
            pass  # the connection is over, which is all that a caller needs to know
        finally:
            self._carrying.discard(task)
            for one in writers:
                one.transport.abort()
                with contextlib.suppress(OSError):
                    await one.wait_closed()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Raises `EOFError` at the end, so that the other direction ends as well."""
        while octets := await reader.read(65_536):
            await self._whole.wait()
            writer.write(octets)
            await writer.drain()
        raise EOFError


@dataclass(slots=True)
class Member:
    """One of the relays."""

    host: str
    daemon: Daemon
    line: Line


@dataclass(frozen=True, slots=True)
class Report:
    """The results of a run."""

    verdict: Verdict
    most_at_once: int
    """Requests that one mailbox saw at the same time."""
    gone_on: dict[Trouble, list[float]]
    """Seconds until another relay sent from the mailboxes of the one in trouble; after the database
    was killed, until any did."""

    @property
    def holds(self) -> bool:
        found = self.verdict
        waits = [seconds for every in self.gone_on.values() for seconds in every]
        return (
            not found.lost
            and not found.strangers
            and self.most_at_once <= 4
            and max(waits, default=0) < PATIENCE
        )

    def __str__(self) -> str:
        lines = [str(self.verdict), f"at most {self.most_at_once} requests at once in a mailbox"]
        for trouble, waits in self.gone_on.items():
            if waits:
                median, worst = statistics.median(waits), max(waits)
                lines.append(
                    f"{trouble} {len(waits)} times: mail went on after"
                    f" {median:.1f} s (median), {worst:.1f} s (worst)"
                )
        return "\n".join(lines)


@dataclass(slots=True)
class Cluster:
    """All of it, running."""

    cloud: Sandbox
    server: PostgresServer
    members: list[Member]
    flood: Flood
    mailboxes: set[str]
    troubles: int = 0
    gone_on: dict[Trouble, list[float]] = field(
        default_factory=lambda: {kind: [] for kind in get_args(Trouble)}
    )

    def mailboxes_of(self, host: str) -> set[str]:
        rows = self.server.execute(
            "SELECT l.mailbox FROM graphrelay.lanes l JOIN graphrelay.relays r ON r.id = l.owner"
            f" WHERE r.host = '{host}'"
        )
        return {mailbox for (mailbox,) in rows}

    async def one_with_lanes(self, dice: Random) -> Member:
        """Those that have mail to lose."""
        while True:
            if having := [one for one in self.members if self.mailboxes_of(one.host)]:
                return dice.choice(having)
            await asyncio.sleep(0.1)

    def _restart_database(self) -> None:
        self.server.stop(signal.SIGKILL)
        self.server.start()

    def waiting(self, mailboxes: set[str] | None = None) -> int:
        """Submissions that are queued, in all mailboxes or in these."""
        sql = "SELECT count(*) FROM graphrelay.submissions WHERE state = 'queued'"
        if mailboxes is not None:
            sql += f" AND mailbox IN ({', '.join(repr(one) for one in mailboxes)})"
        try:
            return int(self.server.execute(sql)[0][0])
        except psycopg.OperationalError:
            return -1

    async def trouble(self, member: Member, kind: Trouble) -> None:
        """One relay fails; returns when another has taken over and the first has recovered."""
        theirs = self.mailboxes_of(member.host)
        self.troubles += 1
        match kind:
            case "killed":
                await member.daemon.kill()
            case "frozen":
                member.daemon.freeze()
            case "cut off":
                member.line.cut()
            case "database killed":
                await asyncio.to_thread(self._restart_database)
                theirs = self.mailboxes
                member = Member("", member.daemon, member.line)
        self.gone_on[kind].append(await self._until_sent_from(member.host, theirs))
        match kind:
            case "killed":
                await member.daemon.start()
            case "frozen":
                member.daemon.thaw()
            case "cut off":
                await member.line.mend()
            case "database killed":
                pass

    async def _until_sent_from(self, host: str, mailboxes: set[str]) -> float:
        """Seconds until one of them has another owner, and that has sent mail from it, if any waits
        there."""
        began = time.monotonic()
        while not (taken := mailboxes - self.mailboxes_of(host)):
            if time.monotonic() - began > PATIENCE:
                return PATIENCE
            await asyncio.sleep(0.05)
        seen = len(self.cloud.mailboxes.submitted)
        while time.monotonic() - began < PATIENCE:
            new = self.cloud.mailboxes.submitted[seen:]
            if any(mail.mailbox in taken for mail in new) or not self.waiting(taken):
                break
            await asyncio.sleep(0.02)
        return time.monotonic() - began


def _haproxy(folder: Path, port: int, ports: list[int]) -> Path:
    servers = "\n".join(
        f"    server relay{number} 127.0.0.1:{one} check inter 300ms fall 1 rise 1"
        for number, one in enumerate(ports)
    )
    config = folder / "haproxy.cfg"
    config.write_text(
        f"""
defaults
    mode tcp
    timeout connect 1s
    timeout client 60s
    timeout server 60s
    option redispatch
    retries 3
listen smtp
    bind 127.0.0.1:{port}
    balance leastconn
    option tcp-check
    tcp-check expect string 220
{servers}
""",
        "utf-8",
    )
    return config


@contextlib.asynccontextmanager
async def cluster(folder: Path, mailboxes: int) -> AsyncIterator[Cluster]:
    names = [f"m{number}@contoso.com" for number in range(mailboxes)]
    directory = contoso()
    tenant = directory.users[0].tenant_id
    directory.users += [User(upn=name, display_name=name, tenant_id=tenant) for name in names]
    haproxy, database_port = needs("haproxy"), free_port()
    async with AsyncExitStack() as stack:
        quick = ("fsync=off", "full_page_writes=off", "max_connections=200")
        server = stack.enter_context(postgres_server.running(quick, database_port))
        settings = MailSettings(keep_bodies=False)
        cloud = await stack.enter_async_context(Sandbox(directory, mail_settings=settings))
        members, ports, key = [], [], new_key_text()
        for host in RELAYS:
            line, port = Line(database_port), free_port()
            await line.open(stack)
            place = folder / host
            given_key(place / "state", key)
            url = f"postgresql://relay@127.0.0.1:{line.port}/postgres?sslmode=disable"
            config = relay_config(cloud, place / "state", f"127.0.0.1:{port}", "any-user")
            config = config.replace("[[smtp", f'[smtp]\nhostname = "{host}"\n\n[[smtp', 1)
            daemon = Daemon(place, config + config_of(host, url))
            stack.push_async_callback(daemon.abandon)
            members.append(Member(host, daemon, line))
            ports.append(port)
        front = free_port()
        arguments = (str(haproxy), "-db", "-f", str(_haproxy(folder, front, ports)))
        balancer = await asyncio.create_subprocess_exec(
            *arguments, stderr=asyncio.subprocess.DEVNULL
        )
        stack.push_async_callback(balancer.wait)
        stack.callback(balancer.kill)
        mark = f"several{os.getpid()}"
        flood = Flood("127.0.0.1", front, sender=names, recipient="anna@example.org", mark=mark)
        for member in members:
            await member.daemon.authorize()
            await member.daemon.start()
        await flood.greeted()
        yield Cluster(cloud, server, members, flood, set(names))


async def run(
    rounds: int, messages: int, mailboxes: int, seed: int, folder: Path, *, faults: bool = False
) -> Report:
    """Every kind of failure in turn, each for a randomly chosen relay."""
    dice, unanswered = Random(seed), 0
    kinds: tuple[Trouble, ...] = get_args(Trouble)
    async with cluster(folder, mailboxes) as all_:
        for number in range(rounds):
            if faults:
                day = bad_day(dice)
                all_.cloud.faults.on(*day)
                unanswered += withheld(day)
            kind = kinds[number % len(kinds)]
            before = len(all_.flood.told.acknowledged)
            async with asyncio.timeout(180), asyncio.TaskGroup() as tasks:
                tasks.create_task(all_.flood.send(messages, CONNECTIONS))
                await all_.flood.acknowledged(before + dice.randrange(1, messages // 2))
                member = await all_.one_with_lanes(dice)
                await all_.trouble(member, kind)
            print(
                f"round {number + 1}: {member.host} {kind},"
                f" {len(all_.flood.told.acknowledged)} acknowledged,"
                f" {len(all_.cloud.mailboxes.submissions)} submitted",
                flush=True,
            )
        async with asyncio.timeout(600):
            while all_.waiting():  # noqa: ASYNC110 (other processes empty it)
                await asyncio.sleep(0.2)
        for member in all_.members:
            await member.daemon.stop()
        verdict = judge(all_.flood, all_.cloud.mailboxes.submissions, all_.troubles, unanswered)
        peaks = all_.cloud.mailboxes.peaks_in_flight
        return Report(verdict, max(peaks.values(), default=0), all_.gone_on)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--messages", type=int, default=500, help="in each round")
    parser.add_argument("--mailboxes", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", action="store_true", help="the cloud has a bad day too")
    parser.add_argument("--keep", type=Path, help="a folder that stays, with the journals")
    chosen = parser.parse_args()
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as made:
        report = asyncio.run(
            run(
                chosen.rounds,
                chosen.messages,
                chosen.mailboxes,
                chosen.seed,
                chosen.keep or Path(made),
                faults=chosen.faults,
            )
        )
    print(report)
    return 0 if report.holds else 1


if __name__ == "__main__":
    sys.exit(main())
