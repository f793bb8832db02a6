"""Three relays with one queue; one after the other is killed, frozen or cut off.

    python -m tests.e2e.several_relays --rounds 50 --faults [--exact-once] [--lease 8 …]

    flood ── HAProxy ──▶ relay a, b, c (processes) ── HTTPS ──▶ sandbox
                            └── each by a line of its own ──▶ PostgreSQL

While mail comes in, one relay fails every two seconds, or as soon as two of them work: it is killed
by kill -9, stopped for longer than its lease, or cut off from the database; or the database itself
is killed by kill -9 and restarted. The time until another relay sends from its mailboxes is
measured. No acknowledged message may be lost, and no mailbox may ever get more than four requests
at a time. Only messages in flight at a failure may be duplicated, and with `--exact-once` none.

A relay's requests count for the request limit after it was lost, since nobody knows what became of
them; here the cloud answers at once, and the limit is short. So is the time after which a relay
looks for mail that is in doubt, with `--exact-once`: see `tests.e2e.prompt`.
"""

# ruff: noqa: ASYNC110 (other processes bring about what is waited for)

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
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Literal, get_args

import psycopg

from graphrelay.oauth.vault.key import CREDENTIAL_NAME, new_key_text
from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.config import relay_config
from graphrelay.sandbox.directory import CONFIDENTIAL_CLIENT, User, contoso
from graphrelay.sandbox.mailbox_settings import MailSettings
from tests.e2e.flood import Flood
from tests.e2e.kill_nine import Daemon, Verdict, bad_day, free_port, judge, withheld
from tests.spool import postgres_server
from tests.spool.postgres_server import PostgresServer
from tests.tools import needs

RELAYS = "abc"
CONNECTIONS = 20
PAUSE = 0.3
"""Seconds between two messages of a connection."""
EVERY = 2.0
"""Seconds between two failures, at least."""
Trouble = Literal["killed", "frozen", "cut off", "database killed"]
OF_RELAYS: tuple[Trouble, ...] = ("killed", "frozen", "cut off")
PATIENCE = 60.0
"""Seconds in which another relay must have gone on."""


def given_key(state: Path, key: bytes) -> None:
    """A state directory with the key of the vault that the relays share."""
    state.mkdir(parents=True)
    file = state / CREDENTIAL_NAME
    file.touch(0o600)
    file.write_bytes(key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is tried."""

    mailboxes: int = 50
    faults: bool = False
    """The cloud has a bad day too."""
    exact_once: bool = False
    lease: float = 4.0
    """Seconds."""
    request_limit: float = 5.0
    """Seconds."""
    troubles: tuple[Trouble, ...] = OF_RELAYS
    environments: tuple[Mapping[str, str], ...] = ({}, {}, {})
    """Of each relay's process."""

    @property
    def program(self) -> str:
        return "tests.e2e.prompt" if self.exact_once else "graphrelay"

    def config(self, cloud: Sandbox, folder: Path, host: str, port: int, url: str) -> str:
        account = "exact_once = true\n" if self.exact_once else ""
        listener = f"127.0.0.1:{port}"
        config = relay_config(cloud, folder / "state", listener, "any-user", account)
        config = config.replace("[[smtp", f'[smtp]\nhostname = "{host}"\n\n[[smtp', 1)
        return f"""{config}
[[routes]]
account = "website"
mailbox = "sender"

[delivery]
retry_min = "1s"

[spool]
url = "{url}"
lease = "{self.lease:g}s"
request_limit = "{self.request_limit:g}s"
"""


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
            for one in writers:  # all of them before it waits, since it may be cancelled there
                one.transport.abort()
            for one in writers:
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
    flood: Flood
    """Asks it directly."""
    program: str
    works: bool = True

    async def start(self) -> None:
        await self.daemon.start(self.program)


@dataclass(frozen=True, slots=True)
class Report:
    """The results of a run."""

    verdict: Verdict
    exact_once: bool
    most_at_once: int
    """Requests that one mailbox saw at the same time."""
    held: dict[str, str]
    """Message-IDs of what waits for a person, with the reason: it is neither lost nor sent."""
    gone_on: dict[Trouble, list[float]]
    """Seconds until another relay sent from a mailbox of the one in trouble; after the database
    was killed, until any did."""
    taken_over: list[float]
    """Seconds until each of its mailboxes had another owner."""

    @property
    def holds(self) -> bool:
        found = self.verdict
        waits = [seconds for every in self.gone_on.values() for seconds in every]
        return (
            found.holds
            and not self.held
            and not (self.exact_once and found.extra)
            and self.most_at_once <= 4
            and max(waits, default=0) < PATIENCE
        )

    def __str__(self) -> str:
        lines = [str(self.verdict), f"at most {self.most_at_once} requests at once in a mailbox"]
        lines += [f"held: {message_id}: {reason}" for message_id, reason in self.held.items()]
        for trouble, waits in self.gone_on.items():
            if waits:
                lines.append(f"{trouble} {len(waits)} times: mail went on after {_worst(waits)}")
        if self.taken_over:
            lines.append(f"every lane had another owner after {_worst(self.taken_over)}")
        return "\n".join(lines)


def _worst(waits: list[float]) -> str:
    return f"{statistics.median(waits):.1f} s (median), {max(waits):.1f} s (worst)"


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
    taken_over: list[float] = field(default_factory=list)

    _session: psycopg.AsyncConnection | None = None
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Waits for the server, where it is being restarted."""
        while True:
            try:
                async with self._asking:  # so that no two connect at once
                    if self._session is None:
                        self._session = await psycopg.AsyncConnection.connect(
                            self.server.url(), autocommit=True
                        )
                    session = self._session
                return await (await session.execute(sql.encode())).fetchall()
            except psycopg.OperationalError:
                await self.close()
                await asyncio.sleep(0.1)

    async def close(self) -> None:
        """End its own session with the database."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def mailboxes_of(self, host: str) -> set[str]:
        return await self._mailboxes(f"r.host = '{host}'")

    async def mailboxes_of_others(self, host: str) -> set[str]:
        return await self._mailboxes(f"r.host <> '{host}'")

    async def _mailboxes(self, condition: str) -> set[str]:
        rows = await self.ask(
            "SELECT l.mailbox FROM graphrelay.lanes l JOIN graphrelay.relays r ON r.id = l.owner"
            f" WHERE {condition}"
        )
        return {mailbox for (mailbox,) in rows}

    async def one_that_works(self, dice: Random) -> Member:
        """Which another one can stand in for, and which has mail to lose."""
        async with asyncio.timeout(2 * PATIENCE):
            while True:
                able = [one for one in self.members if one.works]
                if len(able) > 1:
                    having = [one for one in able if await self.mailboxes_of(one.host)]
                    if having:
                        return dice.choice(having)
                await asyncio.sleep(0.1)

    def _restart_database(self) -> None:
        self.server.stop(signal.SIGKILL)
        self.server.start()

    async def waiting(self, mailboxes: set[str] | None = None) -> int:
        """Submissions that are queued, in all mailboxes or in these."""
        sql = "SELECT count(*) FROM graphrelay.submissions WHERE state = 'queued'"
        if mailboxes is not None:
            sql += f" AND mailbox IN ({', '.join(repr(one) for one in mailboxes)})"
        return int((await self.ask(sql))[0][0])

    async def trouble(self, member: Member, kind: Trouble) -> None:
        """One relay fails; returns when another has taken over and the first has recovered."""
        if kind == "database killed":
            await self._database_killed()
            return
        member.works = False
        theirs = await self.mailboxes_of(member.host)
        self.troubles += 1
        began = time.monotonic()
        match kind:
            case "killed":
                await member.daemon.kill()
            case "frozen":
                member.daemon.freeze()
            case "cut off":
                member.line.cut()
        await self._taken_over(member.host, theirs, kind, began)
        match kind:
            case "killed":
                await member.start()
            case "frozen":
                member.daemon.thaw()
            case "cut off":
                await member.line.mend()
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
            greeted = tasks.create_task(member.flood.greeted())
            while not (greeted.done() and await self._is_there(member.host)):
                if member.daemon.ended:  # the database was killed while it started
                    await member.start()  # as its service manager does
                await asyncio.sleep(0.1)
        member.works = True

    async def _is_there(self, host: str) -> bool:
        return bool(await self.ask(f"SELECT FROM graphrelay.relays WHERE host = '{host}'"))

    async def _database_killed(self) -> None:
        self.troubles += 1
        began = time.monotonic()
        await asyncio.to_thread(self._restart_database)
        await self._sent_from(self.mailboxes, began)
        self.gone_on["database killed"].append(time.monotonic() - began)

    async def _taken_over(
        self, host: str, mailboxes: set[str], kind: Trouble, began: float
    ) -> None:
        """Until all of them have another owner, and one of these has sent mail, if any waits."""
        gone_on = asyncio.create_task(self._gone_on(host, mailboxes, began))
        while (left := mailboxes - await self.mailboxes_of_others(host)) and _in_time(began):
            await asyncio.sleep(0.1)
        self.taken_over.append(time.monotonic() - began)
        self.gone_on[kind].append(await gone_on)
        assert not left, f"{host} {kind}: nobody took {left}"

    async def _gone_on(self, host: str, mailboxes: set[str], began: float) -> float:
        while not (taken := mailboxes & await self.mailboxes_of_others(host)) and _in_time(began):
            await asyncio.sleep(0.1)
        await self._sent_from(taken, began)
        return time.monotonic() - began

    async def _sent_from(self, mailboxes: set[str], began: float) -> None:
        seen = len(self.cloud.mailboxes.submitted)
        while _in_time(began):
            new = self.cloud.mailboxes.submitted[seen:]
            if any(mail.mailbox in mailboxes for mail in new) or not await self.waiting(mailboxes):
                return
            await asyncio.sleep(0.1)


def _in_time(began: float) -> bool:
    return time.monotonic() - began < PATIENCE


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


_IN_DOUBT = """CREATE TABLE in_doubt (submission bigint, number integer, term bigint);
CREATE FUNCTION note_in_doubt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.in_doubt SELECT f.submission, f.number, f.term
        FROM graphrelay.in_flight f JOIN graphrelay.submissions s ON s.id = f.submission
        WHERE s.account = OLD.account AND s.mailbox = OLD.mailbox AND f.term = OLD.term;
    RETURN NULL;
END $$;
CREATE TRIGGER note_in_doubt AFTER UPDATE ON graphrelay.lanes FOR EACH ROW
    WHEN (NEW.term > OLD.term) EXECUTE FUNCTION note_in_doubt()"""
"""The database itself counts what is in doubt: the attempts under way in a lane when it gets
another owner. Those are all, also of a relay that lost its lease because the machine is slow."""


@contextlib.asynccontextmanager
async def cluster(folder: Path, setting: Setting) -> AsyncIterator[Cluster]:
    names = [f"m{number}@contoso.com" for number in range(setting.mailboxes)]
    directory = contoso()
    tenant = directory.users[0].tenant_id
    directory.users += [User(upn=name, display_name=name, tenant_id=tenant) for name in names]
    if setting.exact_once:
        app = directory.app(CONFIDENTIAL_CLIENT)
        assert app is not None
        app.roles.add("Mail.ReadWrite")
    haproxy, database_port = needs("haproxy"), free_port()
    async with AsyncExitStack() as stack:
        quick = ("fsync=off", "full_page_writes=off", "max_connections=200")
        server = stack.enter_context(postgres_server.running(quick, database_port))
        settings = MailSettings(keep_bodies=False)
        cloud = await stack.enter_async_context(Sandbox(directory, mail_settings=settings))
        mark, key = f"several{os.getpid()}", new_key_text()
        members, ports = list[Member](), list[int]()

        def flood_to(port: int) -> Flood:
            return Flood("127.0.0.1", port, sender=names, recipient="anna@example.org", mark=mark)

        for host, environment in zip(RELAYS, setting.environments, strict=True):
            line, port = Line(database_port), free_port()
            await line.open(stack)
            place = folder / host
            given_key(place / "state", key)
            url = f"postgresql://relay@127.0.0.1:{line.port}/postgres?sslmode=disable"
            daemon = Daemon(place, setting.config(cloud, place, host, port, url), environment)
            stack.push_async_callback(daemon.abandon)
            members.append(Member(host, daemon, line, flood_to(port), setting.program))
            ports.append(port)
        await members[0].daemon.authorize()  # which all of them share
        for member in members:
            await member.start()
        for member in members:
            await member.flood.greeted()
        server.execute(_IN_DOUBT)
        front = free_port()  # HAProxy takes for up what it has not looked at yet
        arguments = (str(haproxy), "-db", "-f", str(_haproxy(folder, front, ports)))
        balancer = await asyncio.create_subprocess_exec(
            *arguments, stderr=asyncio.subprocess.DEVNULL
        )
        stack.push_async_callback(balancer.wait)
        stack.callback(balancer.kill)
        flood = flood_to(front)
        await flood.greeted()
        all_ = Cluster(cloud, server, members, flood, set(names))
        stack.push_async_callback(all_.close)
        yield all_


async def run(rounds: int, seed: int, folder: Path, setting: Setting) -> Report:
    """Every kind of failure in turn, each for a randomly chosen relay."""
    dice, unanswered = Random(seed), 0
    async with cluster(folder, setting) as all_:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(all_.flood.keep_sending(CONNECTIONS, PAUSE))
            for number in range(rounds):
                await asyncio.sleep(EVERY)
                if setting.faults:
                    day = bad_day(dice)
                    all_.cloud.faults.on(*day)
                    unanswered += withheld(day)
                kind = setting.troubles[number % len(setting.troubles)]
                member = await all_.one_that_works(dice)
                tasks.create_task(all_.trouble(member, kind))
                print(
                    f"round {number + 1}: {member.host} {kind},"
                    f" {len(all_.flood.told.acknowledged)} acknowledged,"
                    f" {len(all_.cloud.mailboxes.submissions)} submitted",
                    flush=True,
                )
                await asyncio.sleep(0)
            async with asyncio.timeout(2 * PATIENCE):
                while sum(map(len, all_.gone_on.values())) < rounds or not all(
                    one.works for one in all_.members
                ):
                    await asyncio.sleep(0.1)
            all_.flood.stop()
        return await verdict_of(all_, setting, unanswered)


async def verdict_of(all_: Cluster, setting: Setting, unanswered: int = 0) -> Report:
    """Once the queue is empty and the relays have ended."""
    async with asyncio.timeout(600):
        while await all_.waiting():
            await asyncio.sleep(0.2)
    for member in all_.members:
        await member.daemon.stop()
    told = all_.flood.told
    held = dict(
        await all_.ask(
            "SELECT m.message_id, s.reason FROM graphrelay.submissions s"
            " JOIN graphrelay.messages m ON m.id = s.message WHERE s.state = 'held'"
        )
    )
    told.acknowledged -= held.keys()
    # What was refused since nobody knew whether it was committed may have been begun elsewhere.
    told.unanswered |= told.turned_away
    submissions = all_.cloud.mailboxes.submissions
    ((in_doubt,),) = await all_.ask("SELECT count(*) FROM in_doubt")
    verdict = judge(all_.flood, submissions, all_.troubles, unanswered, in_doubt)
    peaks = all_.cloud.mailboxes.peaks_in_flight
    most = max(peaks.values(), default=0)
    return Report(verdict, setting.exact_once, most, held, all_.gone_on, all_.taken_over)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--mailboxes", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", action="store_true", help="the cloud has a bad day too")
    parser.add_argument("--exact-once", action="store_true", help="then nothing is doubled")
    parser.add_argument("--lease", type=float, default=4.0, help="seconds")
    parser.add_argument("--request-limit", type=float, default=5.0, help="seconds")
    parser.add_argument("--trouble", action="append", choices=get_args(Trouble))
    parser.add_argument("--keep", type=Path, help="a folder that stays, with the journals")
    chosen = parser.parse_args()
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    setting = Setting(
        mailboxes=chosen.mailboxes,
        faults=chosen.faults,
        exact_once=chosen.exact_once,
        lease=chosen.lease,
        request_limit=chosen.request_limit,
        troubles=tuple(chosen.trouble or OF_RELAYS),
    )
    with tempfile.TemporaryDirectory() as made:
        folder = chosen.keep or Path(made)
        report = asyncio.run(run(chosen.rounds, chosen.seed, folder, setting))
    print(report)
    return 0 if report.holds else 1


if __name__ == "__main__":
    sys.exit(main())
