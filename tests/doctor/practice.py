"""The doctor beside a relay in the sandbox: possible behaviours of Microsoft, and what it finds
there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from graphrelay.config import load
from graphrelay.doctor.examination import Reachable, Wish
from graphrelay.doctor.finding import VERDICTS, Finding
from graphrelay.doctor.visit import Visit
from graphrelay.graph.http.exchange import Timeouts
from graphrelay.graph.http.transport import Endpoint
from graphrelay.graph.tls import client_context
from graphrelay.journal import Journal
from graphrelay.relay.deliver.request_limits import RequestLimits
from graphrelay.sandbox import User
from graphrelay.sandbox.mailbox_settings import PROMOTED, MailSettings
from tests.clock import settle
from tests.world import World, world

UPN, ADDRESS, ALIAS = "wp@contoso.com", "website@contoso.com", "shop@contoso.com"
"""The sign-in name of the account's user, and its addresses: three different things."""
TO = "you@example.org"
ACCOUNT = f"""address = "{ADDRESS}"
aliases = ["{ALIAS}"]
large_messages = true
bounces = true
"""


def strict(**other: object) -> MailSettings:
    """Exchange as the relay assumes it: what public evidence says, in the strictest reading."""
    settings = MailSettings(
        promoted_headers=PROMOTED, ids_survive_sending=False, aliases_resolved=True
    )
    for name, value in other.items():
        assert hasattr(settings, name)
        setattr(settings, name, value)
    return settings


class HurriedClock:
    """The real clock, except that a wait between two polls takes no time: the clock jumps. Limits
    of 20 seconds and more are never reached."""

    def __init__(self, wrong: timedelta = timedelta(0)) -> None:
        self._skipped = wrong

    def now(self) -> datetime:
        return datetime.now(UTC) + self._skipped

    def monotonic(self) -> timedelta:
        return timedelta(seconds=asyncio.get_running_loop().time()) + self._skipped

    def seconds(self) -> float:
        return self.monotonic().total_seconds()

    async def sleep(self, duration: timedelta) -> None:
        if duration >= timedelta(seconds=20):
            await asyncio.get_running_loop().create_future()
        self._skipped += duration
        await settle()

    def set(self, now: datetime) -> timedelta | None:
        """It stays as it is."""


@dataclass(slots=True)
class Practice:
    """What the doctor knows of the account `website`."""

    world: World
    reach: Reachable
    run: str = ""
    entries: list[dict[str, Any]] = field(default_factory=list)
    """What the file of the last visit has of its requests."""

    @property
    def user(self) -> User:
        found = self.world.cloud.directory.user(UPN)
        assert found is not None
        return found

    async def visit(self, wish: Wish | None = None, run: str = "") -> dict[str, Finding]:
        """Every check, after the user has agreed to the plan."""
        (account,) = self.reach.tokens.accounts
        visit = await Visit.begin(account, wish or Wish(to=TO), self.reach)
        visit.examination.run = run or visit.examination.run
        self.run, self.entries = visit.examination.run, visit.examination.record.entries
        found: dict[str, Finding] = {}
        try:
            async for check, finding in visit.run():
                if finding is not None:
                    found[check.name] = finding
            await visit.clean()
        finally:
            await visit.aclose()
        return found


@asynccontextmanager
async def practice(
    folder: Path,
    settings: MailSettings | None = None,
    *,
    account: str = ACCOUNT,
    clock: HurriedClock | None = None,
) -> AsyncIterator[Practice]:
    async with world(
        folder, scenario="user", account=account, mail_settings=settings or strict()
    ) as here:
        user = here.cloud.directory.user(UPN)
        assert user is not None
        user.addresses[:] = [ADDRESS, ALIAS]
        yield practice_in(here, folder, clock)


def practice_in(here: World, folder: Path, clock: HurriedClock | None = None) -> Practice:
    """For the account of a relay that runs."""
    clock = clock or HurriedClock()
    endpoint = Endpoint(client_context(load(here.config).cloud.ca_file), None, Timeouts())
    return Practice(
        here,
        Reachable(
            graph_url=here.cloud.graph_url,
            endpoint=endpoint,
            tokens=here.relay.tokens,
            limits=RequestLimits(
                clock, Journal(clock), fixed=None, largest=48_000_000, directory=folder
            ),
            clock=clock,
        ),
    )


def differing(found: dict[str, Finding]) -> dict[str, str]:
    """Everything that is not as assumed, with what was seen."""
    return {
        name: f"{VERDICTS[type(one)]}: {one.seen}"
        for name, one in found.items()
        if VERDICTS[type(one)] in ("different", "not known")
    }


def only(*names: str, **wish: object) -> Wish:
    """These checks and no others."""
    from graphrelay.doctor.checks import CHECKS

    skip = frozenset(check.name for check in CHECKS) - set(names)
    return replace(Wish(to=TO, skip=skip), **wish)  # type: ignore[arg-type]
