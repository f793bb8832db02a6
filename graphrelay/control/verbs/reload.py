"""The verb `reload`: reload the configuration and report the result.

    SIGHUP ───────── ask() ──────┐
                                 ├──▶ asked() ──▶ the daemon's Reloader ──▶ answer to every `result`
    verb `reload` ── result() ───┘

The relay itself reads the file, with the credentials that only it gets from systemd, so that what
is checked is what will be used.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphrelay.control.verb import Asker, Output, Verb, VerbError


@dataclass(frozen=True, slots=True)
class InForce:
    """The configuration is used from now on."""

    doubts: tuple[str, ...]
    """What is valid and most likely a mistake."""
    needs_restart: tuple[str, ...]
    """The tables that changed and are read only at startup."""


@dataclass(frozen=True, slots=True)
class NotInForce:
    """The old configuration stays in effect."""

    problems: tuple[str, ...]


ReloadResult = InForce | NotInForce


class ReloadRequests:
    """Connects the requests for a reload with the task that does it. Simultaneous requests are one
    reload."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self._waiting: list[asyncio.Future[ReloadResult]] = []
        self._taken: list[asyncio.Future[ReloadResult]] = []

    def ask(self) -> None:
        """Request a reload without waiting for the result."""
        self._asked.set()

    async def result(self) -> ReloadResult:
        """Request a reload, and return its result."""
        waiting: asyncio.Future[ReloadResult] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        self.ask()
        return await waiting

    async def asked(self) -> None:
        """Return when there is a request; requests from now on are for another reload."""
        await self._asked.wait()
        self._asked.clear()
        self._taken, self._waiting = self._waiting, []

    def answer(self, result: ReloadResult) -> None:
        """Answer all requests made before `asked` returned."""
        for waiting in self._taken:
            if not waiting.done():  # the client has disconnected
                waiting.set_result(result)


class ReloadVerb:
    """`reload`."""

    def __init__(self, requests: ReloadRequests) -> None:
        self._requests = requests

    def table(self) -> dict[str, Verb]:
        return {"reload": self._reload}

    async def _reload(self, _: Mapping[str, Any], _ask: Asker) -> AsyncIterator[Output]:
        match await self._requests.result():
            case NotInForce(problems):
                raise VerbError("\n".join((*problems, "The old settings stay in effect.")))
            case InForce(doubts, needs_restart):
                yield {
                    "kind": "reloaded",
                    "warnings": list(doubts),
                    "needs_restart": list(needs_restart),
                }
