"""A complete setup: a sandbox cloud and a relay that is authorized in it, in the test's loop."""

import asyncio
import smtplib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from graphrelay.cli.demo import authorize
from graphrelay.clock import Clock
from graphrelay.config import load
from graphrelay.control.verbs.reload import ReloadRequests
from graphrelay.daemon.reading_process import read
from graphrelay.daemon.relay import Relay, running
from graphrelay.daemon.relay_settings import Found
from graphrelay.daemon.wiring import wired
from graphrelay.journal import Entry, Sink
from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.config import relay_config
from graphrelay.sandbox.directory import CONFIDENTIAL_CLIENT
from graphrelay.sandbox.mailbox_settings import MailSettings

Scenario = Literal["user", "any-user"]


@dataclass(slots=True)
class World:
    """A cloud, a relay that uses it, and the relay's journal."""

    cloud: Sandbox
    relay: Relay
    config: Path
    entries: list[Entry]
    _told: asyncio.Event

    @property
    def port(self) -> int:
        return int(self.relay.addresses[0].rpartition(":")[2])

    def client(self) -> smtplib.SMTP:
        """Blocks: to be used in another thread."""
        return smtplib.SMTP("127.0.0.1", self.port, timeout=30)

    async def event(self, *wanted: str) -> Entry:
        """The first event of one of these names, as soon as it has happened."""
        await self.until(lambda: bool(self.events(*wanted)))
        return self.events(*wanted)[0]

    async def until(self, ready: Callable[[], bool]) -> None:
        """Wait for the journal to say things until it is so."""
        async with asyncio.timeout(10):
            while not ready():
                self._told.clear()
                await self._told.wait()

    def events(self, *wanted: str) -> list[Entry]:
        return [entry for entry in self.entries if entry.event in wanted]


def hearing() -> tuple[Sink, list[Entry], asyncio.Event]:
    """A journal's sink, what it has heard, and an event that is set whenever it hears."""
    entries: list[Entry] = []
    told = asyncio.Event()

    def hear(entry: Entry) -> None:
        entries.append(entry)
        told.set()

    return hear, entries, told


def found_in(config: Path) -> Found:
    """What `serve` runs on, read here."""
    found = read(config)
    assert isinstance(found, Found), found
    return found


@asynccontextmanager
async def world(
    directory: Path,
    *,
    scenario: Scenario = "any-user",
    extra: str = "",
    account: str = "",
    authorized: bool = True,
    clock: Clock | None = None,
    mail_settings: MailSettings | None = None,
    roles: tuple[str, ...] = (),
    console: str = "off",
) -> AsyncIterator[World]:
    """`extra` is TOML after the sandbox's configuration, `account` more of its account's;
    `roles` what its application was granted instead of Mail.Send; `console` is its address."""
    async with Sandbox(mail_settings=mail_settings) as cloud:
        app = cloud.directory.app(CONFIDENTIAL_CLIENT)
        if app is not None and roles:
            app.roles = set(roles)
        config = directory / "config.toml"
        text = relay_config(cloud, directory / "state", "127.0.0.1:0", scenario, account, console)
        config.write_text(text + extra, encoding="utf-8")
        hear, entries, told = hearing()
        with pytest.MonkeyPatch.context() as environment:
            environment.delenv("GRAPHRELAY_CONSOLE__ADDRESS", raising=False)
            settings = wired(load(config), config)
        # With a console, accounts can be looked at in its page Set up; nothing is reloaded.
        reloads = None if console == "off" else ReloadRequests()
        async with running(settings, clock, hear, reloads=reloads, config=config) as relay:
            if authorized:
                assert (await authorize(cloud, relay))["kind"] == "authorized"
            yield World(cloud, relay, config, entries, told)
