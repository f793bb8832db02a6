"""A console over verbs that the test writes, and people with browsers."""

import asyncio
import base64
import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any, cast

import aiohttp
import pytest

from graphrelay.console.asking import asking
from graphrelay.console.metrics.monitoring import Monitoring
from graphrelay.console.options import (
    ConfiguredKey,
    ConsoleOptions,
    ConsoleUser,
    HealthLimits,
    ShownConfiguration,
)
from graphrelay.console.server import Console
from graphrelay.control.verb import Asker, Output, Verb, VerbError
from graphrelay.journal import Entry, Journal
from graphrelay.oauth.sign_in.identities import Identities
from graphrelay.oauth.tokens.manager import TokenManager
from graphrelay.smtp.access.listener import Listener
from graphrelay.smtp.access.login import Login
from tests.clock import FakeClock


def _quick_hash(password: str) -> str:
    """As `hash_password` makes it, in a thousandth of the time."""
    salt = b"not so random"
    key = hashlib.scrypt(password.encode(), salt=salt, n=2, r=1, p=1, dklen=32)
    parts = (base64.b64encode(octets).rstrip(b"=").decode() for octets in (salt, key))
    return f"$scrypt$ln=1,r=1,p=1${'$'.join(parts)}"


LISTENER = Listener(address="127.0.0.1:0")
PASSWORD = "correct horse"
HASH = _quick_hash(PASSWORD)
VIEWER = ConsoleUser(Login("vera", HASH), "viewer")
OPERATOR = ConsoleUser(Login("otto", HASH), "operator")
STATUS: Output = {
    "kind": "status",
    "account": "website",
    "scenario": "user",
    "status": "Authorized",
    "well": True,
    "vault": "a file",
    "remedy": "",
    "reason": "",
    "warning": "",
    "mailbox": "wp@contoso.com",
    "limit": "",
    "risk": "",
    "who": "wp@contoso.com",
    "tenant": "contoso.onmicrosoft.com",
    "authorized_at": "2026-11-23T12:00:00+00:00",
    "authorized_by": "root",
    "refreshed_at": "2026-11-23T12:00:00+00:00",
    "token_expires_at": "2026-11-23T13:00:00+00:00",
    "issued_at": "2026-11-23T12:00:00+00:00",
    "lapses_at": None,
    "granted": ["Mail.Send"],
    "needed": [{"name": "Mail.Send", "kind": "scope", "reason": "to send"}],
    "missing": [],
    "superfluous": [],
    "credential_ends_at": None,
}
FIGURES: Output = {
    "queued": 3,
    "held": 1,
    "in_flight": 0,
    "octets": 10,
    "oldest": None,
    "database": 10,
    "free": 5_000_000_000,
    "commit": {"buckets": [[0.001, 3], [0.0025, 5], [None, 6]], "sum": 0.5},
    "fsync": None,
}
IN_FORCE = ShownConfiguration(
    "config.toml",
    (ConfiguredKey("log.level", '"info"', "default"),),
    ("log.keep: odd",),
    (Listener(address="127.0.0.1:2525"),),
    (),
)


class Verbs(dict[str, Verb]):
    """Answers as the test says, and keeps the requests."""

    def __init__(self, **answers: list[Output] | VerbError) -> None:
        super().__init__()
        usual: dict[str, list[Output] | VerbError] = {
            "status": [STATUS],
            "lanes": [],
            "figures": [FIGURES],
            "tally": [],
            "queue-list": [],
            "queue-show": VerbError("no message"),
            "log": [],
            "log-refused": [],
            "transcript": [],
            "revoke": [{}],
        }
        self.answers = usual | answers
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __getitem__(self, name: str) -> Verb:
        async def verb(arguments: Mapping[str, Any], _: Asker) -> AsyncIterator[Output]:
            self.asked.append((name, dict(arguments)))
            answer = self.answers.get(name, [])
            if isinstance(answer, VerbError):
                raise answer
            for event in answer:
                yield event

        return self.get(name) or verb

    def calls(self, name: str) -> list[dict[str, Any]]:
        return [arguments for asked, arguments in self.asked if asked == name]


@dataclass(slots=True)
class Answer:
    """What a browser got."""

    status: int
    headers: Mapping[str, str]
    text: str
    url: str


class Browser:
    """One user's browser, with its own cookies."""

    def __init__(self, base: str, session: aiohttp.ClientSession) -> None:
        self.base = base
        self.session = session
        self.token = ""

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.send("GET", path, headers=_named(headers))

    async def post(
        self, path: str, data: Mapping[str, str] | None = None, **headers: str
    ) -> Answer:
        """A form with the token of the page that was shown last."""
        form = {"token": self.token, **(data or {})}
        return await self.send("POST", path, data=form, headers=_named(headers))

    async def send(self, method: str, path: str, **options: Any) -> Answer:
        async with self.session.request(
            method, self.base + path, allow_redirects=False, **options
        ) as answer:
            text = await answer.text()
            if found := re.search(r'name="token" value="(\w+)"', text):
                self.token = found[1]
            return Answer(answer.status, answer.headers, text, str(answer.url))

    async def sign_in(self, name: str, password: str = PASSWORD) -> Answer:
        await self.get("/sign-in")
        answer = await self.post("/sign-in", {"name": name, "password": password, "next": "/"})
        if answer.status == 303:
            await self.get("/")
        return answer

    def cookies(self) -> dict[str, str]:
        return {one.key: one.value for one in self.session.cookie_jar}


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass(slots=True)
class Opened:
    """A console that listens."""

    console: Console
    clock: FakeClock
    verbs: Verbs
    entries: list[Entry]
    _stack: AsyncExitStack
    alert: str = ""
    browsers: list[Browser] = field(default_factory=list)

    async def browser(self) -> Browser:
        session = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), trust_env=False)
        await self._stack.enter_async_context(session)
        return Browser(self.console.url, session)

    async def viewer(self) -> Browser:
        browser = await self.browser()
        assert (await browser.sign_in("vera")).status == 303
        return browser

    async def operator(self) -> Browser:
        browser = await self.browser()
        assert (await browser.sign_in("otto")).status == 303
        return browser

    async def link(self) -> str:
        """The path of a new link."""

        async def nobody(what: str) -> str:
            raise AssertionError(what)

        table = self.console.table()
        [event] = [event async for event in table["console-link"]({"by": "root"}, nobody)]
        return str(event["url"]).removeprefix(self.console.url)

    def events(self, name: str) -> list[dict[str, Any]]:
        return [dict(entry.fields) for entry in self.entries if entry.event == name]


def options(**changed: Any) -> ConsoleOptions:
    return ConsoleOptions(**{"listener": LISTENER, "users": (VIEWER, OPERATOR), **changed})


class Opening:
    """Opens consoles for one test, and closes them."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def __call__(
        self,
        chosen: ConsoleOptions | None = None,
        tokens: TokenManager | None = None,
        **answers: Any,
    ) -> Opened:
        """`tokens`: with whose accounts people sign in with Microsoft."""
        clock, entries = FakeClock(), list[Entry]()
        verbs = Verbs(**{name.replace("_", "-"): value for name, value in answers.items()})
        journal = Journal(clock, entries.append)
        monitoring = Monitoring(asking(verbs), HealthLimits(), clock)
        console = Console(
            chosen or options(),
            verbs,
            lambda: IN_FORCE,
            lambda: made.alert,
            monitoring,
            Identities(tokens) if tokens else cast(Identities, None),
            journal,
            clock,
            "relay.test",
            UTC,
        )
        journal.add(console.hear)
        made = Opened(console, clock, verbs, entries, self._stack)
        await console.open()
        task = asyncio.create_task(console.run())

        async def end() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self._stack.push_async_callback(end)
        return made


@pytest.fixture
async def opening() -> AsyncIterator[Opening]:
    async with AsyncExitStack() as stack:
        yield Opening(stack)


@pytest.fixture
async def opened(opening: Opening) -> Opened:
    """A console with a viewer, vera, and an operator, otto."""
    return await opening()
