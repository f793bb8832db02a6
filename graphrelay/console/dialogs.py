"""Verbs that take a while and may ask the user for something: `authorize`, `send-test`.

A dialog continues when its page is closed, and the page shows its progress when it is opened again.
Only the user who started it can see it, since it contains the address of a sign-in.
"""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from graphrelay.clock import Clock, timeout
from graphrelay.console import texts
from graphrelay.control.verb import Output, Verb, VerbError

MOST: Final = 20
"""At once; beyond that the oldest is ended."""
FIRST: Final = timedelta(seconds=5)
"""How long a page waits for the first answer, so that it usually shows one."""


@dataclass(slots=True, eq=False)
class Dialog:
    """One verb that is being carried out, or has been."""

    id: str
    verb: str
    on: str
    who: str
    events: list[Output] = field(default_factory=list)
    asks: str = ""
    """What the verb waits for."""
    error: str = ""
    over: bool = False
    _answer: "asyncio.Future[str] | None" = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def last(self, *kinds: str) -> Output | None:
        """The latest event of one of these kinds."""
        found = (event for event in reversed(self.events) if event.get("kind") in kinds)
        return next(found, None)

    def answer(self, text: str) -> bool:
        """Give the verb what it asked for; returns whether it had asked."""
        if self._answer is None or self._answer.done():
            return False
        self._answer.set_result(text)
        return True

    async def ask(self, what: str) -> str:
        """As verbs ask."""
        self._answer = asyncio.get_running_loop().create_future()
        self.asks = what
        self.news()
        try:
            return await self._answer
        finally:
            self.asks = ""

    def note(self, event: Output) -> bool:
        """Keep an event; a countdown replaces its last number. Returns whether it is news: an open
        page counts down by itself."""
        counts = event.get("kind") == "waiting"
        if counts and self.events and self.events[-1].get("kind") == "waiting":
            self.events[-1] = event
            return False
        self.events.append(event)
        self.news()
        return True

    def news(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def begun(self, clock: Clock) -> None:
        """Wait, but not for long, until there is something for the user to do or to read."""
        try:
            async with timeout(clock, FIRST):
                while not (self.over or self.asks or self.last(*_TO_DO)):
                    await self._news.wait()
        except TimeoutError:
            pass  # the page shows that it is under way


_TO_DO: Final = ("open", "open-elsewhere", "device", "happened", "waits")


class Dialogs:
    """All of them; owns their tasks. `changed` is called after each event that is news."""

    def __init__(self, changed: Any) -> None:
        self._all: OrderedDict[str, Dialog] = OrderedDict()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._changed = changed

    def begin(
        self, verb: Verb, name: str, on: str, who: str, arguments: Mapping[str, Any]
    ) -> Dialog:
        """Start a verb. An earlier dialog of the same user for the same verb and object is
        ended."""
        for other in tuple(self._all.values()):
            if (other.verb, other.on, other.who) == (name, on, who) and not other.over:
                self.end(other)
        dialog = Dialog(secrets.token_urlsafe(12), name, on, who)
        self._all[dialog.id] = dialog
        while len(self._all) > MOST:
            self.end(next(iter(self._all.values())))
        self._tasks[dialog.id] = asyncio.create_task(self._carry_out(dialog, verb, arguments))
        return dialog

    def find(self, number: str, who: str) -> Dialog | None:
        """That of this person."""
        dialog = self._all.get(number)
        return dialog if dialog and dialog.who == who else None

    def end(self, dialog: Dialog) -> None:
        """Stop and forget it; nothing incomplete is stored."""
        self._all.pop(dialog.id, None)
        dialog.over = True  # also of a task that has not begun
        if task := self._tasks.pop(dialog.id, None):
            task.cancel()

    async def aclose(self) -> None:
        """Stop all."""
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _carry_out(self, dialog: Dialog, verb: Verb, arguments: Mapping[str, Any]) -> None:
        try:
            async for event in verb(arguments, dialog.ask):
                if dialog.note(event):
                    self._changed()
        except VerbError as error:
            dialog.error = str(error)
        except Exception as error:  # a bug: the page shows that there was one
            dialog.error = texts.RELAY_BROKE.format(error=f"{type(error).__name__}: {error}")
        finally:
            dialog.over = True
            dialog.news()
            self._changed()
            self._tasks.pop(dialog.id, None)
