"""Relays as processes that share a queue and a vault, and what people ask of each of them.

    python -m tests.e2e.sharing --seconds 120

keeps three relays sending from one account, whose tokens live 5 seconds, through a cloud that ends
a sign-in when one of its refresh tokens is used twice. No lane may ever pause.

    flood ── SMTP ──▶ relay a, b, c (processes) ── HTTPS ──▶ sandbox (tokens of 5 s, each once)
                          └── queue, vault, turns ──▶ PostgreSQL
"""

import argparse
import asyncio
import logging
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from graphrelay.control.verb import Output
from graphrelay.oauth.vault.key import new_key_text
from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.config import relay_config
from graphrelay.sandbox.directory import User, contoso
from graphrelay.sandbox.entra.faults import RefreshOnce
from graphrelay.sandbox.mailbox_settings import MailSettings
from graphrelay.sandbox.visitor import Visitor
from tests.control.socket.asking import converse
from tests.e2e.flood import Flood
from tests.e2e.kill_nine import Daemon, free_port
from tests.e2e.several_relays import given_key
from tests.spool import postgres_server
from tests.spool.postgres_server import PostgresServer

WHO = "wp@contoso.com"
MAILBOXES = tuple(f"m{number}@contoso.com" for number in range(12))
"""Shared mailboxes as which `WHO` may send."""
SHORT = timedelta(seconds=5)


@dataclass(slots=True)
class Host:
    """One of the relays."""

    name: str
    daemon: Daemon
    port: int
    socket: Path
    cloud: Sandbox

    async def ask(self, verb: str, **arguments: Any) -> list[Output]:
        """What the running relay answers."""
        return [event async for event in converse(self.socket, verb, arguments, _no_answer)]

    async def authorize(self) -> None:
        """As the configured user, by pasting the address that the browser ends at."""
        landed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def paste(what: str) -> str:
            return await landed

        arguments = {"account": "website", "method": "paste", "by": "root"}
        last: Output = {}
        async with Visitor(self.cloud.ca_file) as visitor:
            async for event in converse(self.socket, "authorize", arguments, paste):
                if event["kind"] == "open-elsewhere":
                    landed.set_result(await visitor.sign_in(event["url"], WHO))
                last = event
        assert last["kind"] == "authorized", last

    async def lane(self, mailbox: str) -> Output | None:
        """As `graphrelay lanes` shows it here."""
        found = [row for row in await self.ask("lanes") if row["mailbox"] == mailbox]
        return found[0] if found else None


async def _no_answer(what: str) -> str:
    raise AssertionError(f"it asks for {what}")


@dataclass(slots=True)
class Sharing:
    """All of it, running."""

    cloud: Sandbox
    server: PostgresServer
    hosts: Mapping[str, Host]
    floods: Mapping[str, Flood] = field(default_factory=dict)

    def owners(self) -> dict[str, str]:
        """The mailboxes with their hosts."""
        rows = self.server.execute(
            "SELECT l.mailbox, r.host FROM graphrelay.lanes l"
            " JOIN graphrelay.relays r ON r.id = l.owner"
        )
        return dict(rows)

    def mailbox_of(self, host: str) -> str:
        return min(mailbox for mailbox, owner in self.owners().items() if owner == host)

    async def shared_out(self) -> None:
        """Returns when every lane has an owner, and every relay a lane."""
        async with asyncio.timeout(60):
            while set(self.owners().values()) != set(self.hosts):  # noqa: ASYNC110 (others do it)
                await asyncio.sleep(0.1)

    def waiting(self) -> int:
        sql = "SELECT count(*) FROM graphrelay.submissions WHERE state = 'queued'"
        return int(self.server.execute(sql)[0][0])

    async def emptied(self) -> None:
        async with asyncio.timeout(60):
            while self.waiting():  # noqa: ASYNC110 (other processes empty it)
                await asyncio.sleep(0.1)


@asynccontextmanager
async def sharing(folder: Path, names: str = "ab", extra: str = "") -> AsyncIterator[Sharing]:
    """Relays on hosts of these names, authorized by nobody yet. `extra` is added to each
    configuration."""
    async with AsyncExitStack() as stack:
        quick = ("fsync=off", "full_page_writes=off", "max_connections=200")
        server = stack.enter_context(postgres_server.running(quick))
        directory = contoso()
        tenant = directory.users[0].tenant_id
        for name in MAILBOXES:
            box = User(upn=name, display_name=name, tenant_id=tenant, kind="shared")
            directory.users.append(box)
            directory.users[0].can_send_as.add(name)
            directory.users[0].full_access.add(name)
        settings = MailSettings(keep_bodies=False)
        cloud = await stack.enter_async_context(Sandbox(directory, mail_settings=settings))
        hosts, floods, key = {}, {}, new_key_text()
        for name in names:
            port, place = free_port(), folder / name
            given_key(place / "state", key)
            config = relay_config(cloud, place / "state", f"127.0.0.1:{port}")
            config = config.replace('"info@contoso.com"]', '"*@contoso.com"]')
            config = config.replace("[[smtp", f'[smtp]\nhostname = "{name}"\n\n[[smtp', 1)
            daemon = Daemon(place, config + _SHARED.format(url=server.url()) + extra)
            stack.push_async_callback(daemon.abandon)
            socket = place / "state" / "control.sock"
            hosts[name] = Host(name, daemon, port, socket, cloud)
            mark = f"sharing{name}{os.getpid()}"
            floods[name] = Flood(
                "127.0.0.1", port, sender=MAILBOXES, recipient="anna@example.org", mark=mark
            )
            await daemon.start()
        await asyncio.gather(*(flood.greeted() for flood in floods.values()))
        yield Sharing(cloud, server, hosts, floods)


_SHARED = """
[[routes]]
account = "website"
mailbox = "sender"

[delivery]
retry_min = "1s"

[spool]
url = "{url}"
lease = "2s"
request_limit = "5s"
"""


@dataclass(frozen=True, slots=True)
class Report:
    """The results of a run with tokens that live `SHORT`."""

    acknowledged: int
    submitted: int
    refreshes: int
    refused: int
    """Answers of the token endpoint other than 200."""
    paused: int
    """Lines in the journals that a lane was paused, or the account not authorized."""
    longest_pause: float
    """Seconds for which nothing was submitted."""
    submitted_by: Mapping[str, int]
    """Mailboxes from which mail was submitted, with how much."""

    @property
    def holds(self) -> bool:
        return (
            self.acknowledged > 0
            and self.submitted == self.acknowledged
            and not self.paused
            and not self.refused
        )

    def __str__(self) -> str:
        return (
            f"{self.acknowledged} acknowledged, {self.submitted} submitted from "
            f"{len(self.submitted_by)} mailboxes with {self.refreshes} refreshes of one sign-in, "
            f"{self.refused} refused; {self.paused} pauses; nothing was submitted for at most "
            f"{self.longest_pause:.1f} s"
        )


async def run(seconds: float, folder: Path) -> Report:
    async with sharing(folder, "abc") as all_:
        tokens = all_.cloud.tokens

        def life(cae: bool, lifetime: timedelta | None = None) -> dict[str, Any]:
            issued_at = all_.cloud.now()
            return {"issued_at": issued_at, "expires_at": issued_at + SHORT}

        tokens._life = life  # type: ignore[method-assign,assignment]
        all_.cloud.faults.on(RefreshOnce())
        await all_.hosts["a"].authorize()
        began = time.monotonic()
        longest, last, seen = 0.0, began, 0
        while time.monotonic() - began < seconds:
            async with asyncio.timeout(60), asyncio.TaskGroup() as senders:
                for flood in all_.floods.values():
                    senders.create_task(flood.send(12, 3))
            async with asyncio.timeout(60):
                while all_.waiting() > 30:
                    if (now := len(all_.cloud.mailboxes.submitted)) > seen:
                        seen, last = now, time.monotonic()
                    longest = max(longest, time.monotonic() - last)
                    await asyncio.sleep(0.05)
            last = time.monotonic()
        await all_.emptied()
        asked = [one for one in all_.cloud.requests if one.path.endswith("/token")]
        journals = "".join(host.daemon.journal for host in all_.hosts.values())
        for host in all_.hosts.values():
            await host.daemon.stop()
        return Report(
            acknowledged=sum(len(flood.told.acknowledged) for flood in all_.floods.values()),
            submitted=len(all_.cloud.mailboxes.submissions),
            refreshes=len(asked) - 1,
            refused=sum(one.status != 200 for one in asked),
            paused=sum(journals.count(word) for word in ("paused", "authorization-refused")),
            longest_pause=longest,
            submitted_by=Counter(mail.mailbox for mail in all_.cloud.mailboxes.submitted),
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=120)
    chosen = parser.parse_args()
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        report = asyncio.run(run(chosen.seconds, Path(folder)))
    print(report)
    return 0 if report.holds else 1


if __name__ == "__main__":
    sys.exit(main())
