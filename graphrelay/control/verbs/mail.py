"""The verbs about mail: listing and changing the queue, and the mail log.

Changes go through the QueueManager, which knows what is in flight; listings read the spool.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol, TypeVar, get_args

from graphrelay.clock import Clock
from graphrelay.control.verb import Asker, Event, Verb, VerbError, said
from graphrelay.control.verbs import json_views
from graphrelay.model import StorageUnavailable
from graphrelay.spool import Spool
from graphrelay.spool.changes import (
    Changed,
    Delete,
    Hold,
    NotChanged,
    Release,
    Retry,
    Verdict,
)
from graphrelay.spool.queries import HistoryOf, LogFilter, QueueFilter
from graphrelay.spool.values import What

T = TypeVar("T")

FOLLOW = timedelta(seconds=1)
"""How often a followed log is read."""
PAGE = 500
"""Messages that are changed at once; they share a transaction."""


class QueueVerbs(Protocol):
    """The changes that a person can ask for."""

    async def hold(self, which: str | int, reason: str, called: str = "") -> Verdict: ...
    async def release(self, which: str | int, reason: str, called: str = "") -> Verdict: ...
    async def retry_now(self, which: str | int, reason: str, called: str = "") -> Verdict: ...
    async def delete(self, which: str | int, reason: str, called: str = "") -> Verdict: ...


class IdleQueue:
    """The changes while no daemon runs, and so nothing is in flight: directly in the spool."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    async def hold(self, which: str | int, reason: str, called: str = "") -> Verdict:
        return await self._spool.change(Hold(which, reason))

    async def release(self, which: str | int, reason: str, called: str = "") -> Verdict:
        return await self._spool.change(Release(which, reason))

    async def retry_now(self, which: str | int, reason: str, called: str = "") -> Verdict:
        return await self._spool.change(Retry(which, reason))

    async def delete(self, which: str | int, reason: str, called: str = "") -> Verdict:
        return await self._spool.change(Delete(which, reason))


class MailVerbs:
    """`queue-list`, `queue-show`, `queue-hold` …, `log`."""

    def __init__(self, spool: Spool, queue: QueueVerbs, clock: Clock, page: int = PAGE) -> None:
        self._spool = spool
        self._queue = queue
        self._clock = clock
        self._page = page

    def table(self) -> dict[str, Verb]:
        return {
            "queue-list": self._list,
            "queue-show": self._show,
            "queue-retry": self._change,
            "queue-hold": self._change,
            "queue-release": self._change,
            "queue-delete": self._change,
            "log": self._log,
        }

    async def _list(self, arguments: Mapping[str, Any], _: Asker) -> AsyncIterator[Event]:
        wanted = QueueFilter(**_known(arguments, QueueFilter))
        for row in await stored(self._spool.read(wanted)):
            yield json_views.queue_row(row)

    async def _show(self, arguments: Mapping[str, Any], _: Asker) -> AsyncIterator[Event]:
        queue_id = str(arguments["queue_id"])
        found = await stored(self._spool.read(HistoryOf(queue_id)))
        if found is None:
            raise VerbError(f"no message {queue_id} in the queue or in the mail log")
        yield json_views.message(found)

    async def _change(self, arguments: Mapping[str, Any], _: Asker) -> AsyncIterator[Event]:
        """One message by its id, or all that a filter selects."""
        change = self._changing(str(arguments["what"]), said(arguments, "reason"))
        if "queue_id" not in arguments:
            async for event in self._change_all(arguments, change):
                yield event
            return
        which = str(arguments["queue_id"])
        match await stored(change(which, which)):
            case Changed(submissions):
                yield {"queue_id": which, "changed": len(submissions)}
            case NotChanged(text=text):
                raise VerbError(text)

    def _changing(self, what: str, reason: str) -> Callable[[str | int, str], Awaitable[Verdict]]:
        match what:
            case "hold":
                return lambda which, called: self._queue.hold(which, reason or "by hand", called)
            case "release":
                return lambda which, called: self._queue.release(which, reason, called)
            case "retry":
                return lambda which, called: self._queue.retry_now(which, reason, called)
            case "delete":
                return lambda which, called: self._queue.delete(which, reason or "by hand", called)
            case _:
                raise VerbError(f"cannot {what} a message")

    async def _change_all(
        self,
        arguments: Mapping[str, Any],
        change: Callable[[str | int, str], Awaitable[Verdict]],
    ) -> AsyncIterator[Event]:
        """A page at a time, part by part. What is being sent is not changed; an event says so."""
        wanted = QueueFilter(**{**_known(arguments, QueueFilter), "limit": self._page})
        if wanted == QueueFilter(state=wanted.state, limit=self._page) and not arguments.get("all"):
            raise VerbError("choose messages: by id, by a filter, or all")
        if wanted.state is None and (state := _STATES.get(str(arguments["what"]))):
            wanted = replace(wanted, state=state)
        while rows := await stored(self._spool.read(wanted)):
            changes = (stored(change(row.submission_id, row.queue_id)) for row in rows)
            for row, verdict in zip(rows, await asyncio.gather(*changes), strict=True):
                match verdict:
                    case Changed():
                        yield {"queue_id": row.queue_id, "changed": 1}
                    case NotChanged(text=text):
                        yield {"queue_id": row.queue_id, "changed": 0, "reason": text}
            wanted = replace(wanted, after_id=rows[-1].submission_id)

    async def _log(self, arguments: Mapping[str, Any], _: Asker) -> AsyncIterator[Event]:
        wanted = _known(arguments, LogFilter)
        if wanted.get("outcome") not in (None, *get_args(What)):
            raise VerbError(f"outcome must be one of {', '.join(get_args(What))}")
        rows = await stored(self._spool.read(LogFilter(**wanted)))
        for row in reversed(rows):
            yield json_views.log_row(row)
        last = max((row.id for row in rows), default=0)
        while arguments.get("follow"):
            await self._clock.sleep(FOLLOW)
            wanted["after_id"] = last
            for row in await stored(self._spool.read(LogFilter(**wanted))):
                last = row.id
                yield json_views.log_row(row)


_STATES: dict[str, Literal["queued", "held"]] = {
    "hold": "queued",
    "release": "held",
    "retry": "queued",
}
"""Which messages a verb changes, where the filter names no state."""
_MOMENTS = ("since", "until", "received_before")


def _known(arguments: Mapping[str, Any], kind: type) -> dict[str, Any]:
    """The arguments that the filter knows, moments read."""
    known = kind.__dataclass_fields__  # type: ignore[attr-defined]
    given = {key: value for key, value in arguments.items() if key in known and value is not None}
    for key in _MOMENTS:
        if key in given:
            given[key] = datetime.fromisoformat(str(given[key]))
    return given


async def stored(reading: Awaitable[T]) -> T:
    """What the spool answers, or why it cannot, as a sentence for the person."""
    try:
        return await reading
    except StorageUnavailable as error:
        raise VerbError(str(error)) from error
