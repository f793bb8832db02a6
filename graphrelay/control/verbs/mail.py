"""The verbs about mail: listing and changing the queue, and the mail log.

Changes go through the QueueManager, which knows what is in flight; listings read the spool.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol, TypeVar, get_args

from graphrelay.clock import Clock
from graphrelay.control.verb import Asker, Output, Verb, VerbError, said
from graphrelay.control.verbs import json_views
from graphrelay.control.verbs.json_views import WhyWaiting
from graphrelay.model import Lane, StorageUnavailable, in_small_letters
from graphrelay.oauth.scenario import Account
from graphrelay.relay.queue.lane_view import LaneView, noted
from graphrelay.spool.changes import (
    Changed,
    Delete,
    Hold,
    NotChanged,
    Release,
    Retry,
    Verdict,
)
from graphrelay.spool.contract import Spool
from graphrelay.spool.queries import (
    Backlogs,
    Count,
    HistoryOf,
    LaneNotes,
    LogFilter,
    Matching,
    QueueFilter,
    RefusalFilter,
    Relays,
    Tally,
)
from graphrelay.spool.values import What

T = TypeVar("T")

FOLLOW = timedelta(seconds=1)
"""How often a followed log is read."""
PAGE = 500
"""Messages that are changed at once; they share a transaction."""


class QueueVerbs(Protocol):
    """The changes that an administrator can request."""

    async def lanes(self) -> list[LaneView] | None:
        """`None` if the relay is not running."""
        ...

    async def hold(self, which: str | int, reason: str, called: str = "") -> Verdict: ...
    async def release(self, which: str | int, reason: str, called: str = "") -> Verdict: ...
    async def retry_now(self, which: str | int, reason: str, called: str = "") -> Verdict: ...
    async def delete(self, which: str | int, reason: str, called: str = "") -> Verdict: ...


class IdleQueue:
    """Changes while no daemon is running, and so nothing is in flight: directly in the spool."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool

    async def lanes(self) -> list[LaneView] | None:
        """As the relays on other hosts said last; `None` if there are none."""
        relays = await self._spool.read(Relays())
        if all(relay.expires_in < timedelta(0) for relay in relays):
            return None
        backlogs = {one.lane: one for one in await self._spool.read(Backlogs())}
        notes = await self._spool.read(LaneNotes())
        return [noted(note, backlogs.get(note.lane)) for note in notes]

    async def hold(self, which: str | int, reason: str, called: str = "") -> Verdict:
        return await self._spool.change(Hold(which, reason))

    async def release(self, which: str | int, reason: str, called: str = "") -> Verdict:
        return await self._spool.change(Release(which, reason))

    async def retry_now(self, which: str | int, reason: str, called: str = "") -> Verdict:
        return await self._spool.change(Retry(which, reason))

    async def delete(self, which: str | int, reason: str, called: str = "") -> Verdict:
        return await self._spool.change(Delete(which, reason))


@dataclass(frozen=True, slots=True)
class Configured:
    """The names that filters may use, from the present configuration."""

    accounts: Callable[[], Sequence[Account]]
    routes: Callable[[], Sequence[str]]

    def names(self, what: str) -> list[str]:
        """The names of `what`: account, mailbox (as patterns) or route."""
        match what:
            case "account":
                return [account.name for account in self.accounts()]
            case "mailbox":
                return [pattern for account in self.accounts() for pattern in account.allowed]
        return list(self.routes())

    def has(self, what: str, name: str) -> bool:
        if what == "mailbox":
            return any(account.may_use(name) for account in self.accounts())
        return name in self.names(what)


class MailVerbs:
    """`queue-list`, `queue-show`, `queue-hold` …, `log`, `log-refused`."""

    def __init__(
        self,
        spool: Spool,
        queue: QueueVerbs,
        configured: Configured,
        clock: Clock,
        page: int = PAGE,
    ) -> None:
        self._spool = spool
        self._configured = configured
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
            "tally": self._tally,
            "figures": self._figures,
            "log-refused": self._log_refused,
            "hosts": self._hosts,
        }

    async def _hosts(self, _: Mapping[str, Any], _ask: Asker) -> AsyncIterator[Output]:
        for row in await stored(self._spool.read(Relays())):
            yield json_views.relay(row)

    async def _list(self, arguments: Mapping[str, Any], _: Asker) -> AsyncIterator[Output]:
        """With `count`, an event `total` follows if there are more than the limit."""
        wanted = await self._filter(arguments)
        views = await stored(self._queue.lanes())
        rows = await stored(self._spool.read(wanted))
        for row in rows:
            yield json_views.queue_row(row, self._clock.now(), _reason_to_wait(views, row.lane))
        if arguments.get("count") and len(rows) == wanted.limit:
            total = await stored(self._spool.read(Matching(wanted)))
            if total > len(rows):
                yield {"kind": "total", "listed": len(rows), "total": total}

    async def _filter(self, arguments: Mapping[str, Any]) -> QueueFilter:
        """Raises `VerbError` for a name that neither the configuration nor the queue has: a filter
        with a typing error must not look like an empty queue."""
        given = _known(arguments, QueueFilter)
        if "mailbox" in given:
            given["mailbox"] = in_small_letters(str(given["mailbox"]))
        for what in ("account", "mailbox", "route"):
            name = str(given.get(what, ""))
            if what not in given or self._configured.has(what, name):
                continue
            alone: dict[str, Any] = {what: name, "limit": 1}
            if not await stored(self._spool.read(QueueFilter(**alone))):
                known = ", ".join(self._configured.names(what)) or "none"
                raise VerbError(f"there is no {what} {name!r}, only {known}")
        return QueueFilter(**given)

    async def _show(self, arguments: Mapping[str, Any], _: Asker) -> AsyncIterator[Output]:
        queue_id = str(arguments["queue_id"])
        found = await stored(self._spool.read(HistoryOf(queue_id)))
        if found is None:
            raise VerbError(f"no message {queue_id} in the queue or in the mail log")
        views = await stored(self._queue.lanes())
        waits = {part.plan.lane: _reason_to_wait(views, part.plan.lane) for part in found.parts}
        yield json_views.message(found, self._clock.now(), waits)

    async def _change(self, arguments: Mapping[str, Any], _: Asker) -> AsyncIterator[Output]:
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
    ) -> AsyncIterator[Output]:
        """A page at a time, part by part. What is being sent is not changed; an event says so."""
        wanted = replace(await self._filter(arguments), limit=self._page)
        if wanted == QueueFilter(state=wanted.state, limit=self._page) and not arguments.get("all"):
            raise VerbError("choose messages: by id, by a filter, or all")
        if wanted.state is None and (state := STATES.get(str(arguments["what"]))):
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

    async def _log(self, arguments: Mapping[str, Any], _: Asker) -> AsyncIterator[Output]:
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

    async def _tally(self, arguments: Mapping[str, Any], _: Asker) -> AsyncIterator[Output]:
        """What was logged since a moment, counted for each hour."""
        wanted = Tally(
            since=datetime.fromisoformat(str(arguments["since"])),
            waits=bool(arguments.get("waits")),
        )
        for row in await stored(self._spool.read(wanted)):
            yield json_views.tallied(row)

    async def _figures(self, _: Mapping[str, Any], _ask: Asker) -> AsyncIterator[Output]:
        yield json_views.figures(await stored(self._spool.read(Count())))

    async def _log_refused(self, arguments: Mapping[str, Any], _: Asker) -> AsyncIterator[Output]:
        """What clients were refused. With `--follow`, a row is repeated when its count grows."""
        wanted = _known(arguments, RefusalFilter)
        rows = await stored(self._spool.read(RefusalFilter(**wanted)))
        for row in reversed(rows):
            yield json_views.refusal(row.refusal)
        last = max((row.id for row in rows), default=0)
        while arguments.get("follow"):
            await self._clock.sleep(FOLLOW)
            wanted["after_id"] = last
            for row in await stored(self._spool.read(RefusalFilter(**wanted))):
                last = row.id
                yield json_views.refusal(row.refusal)


STATES: dict[str, Literal["queued", "held"]] = {
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


def _reason_to_wait(views: list[LaneView] | None, lane: Lane) -> WhyWaiting | None:
    """Why a lane sends nothing at present; `None` if it does."""
    if views is None:
        return WhyWaiting("not running", "The relay is not running.", "", None)
    for view in views:
        if view.lane == lane and view.state != "open":
            return WhyWaiting(view.state, view.reason, view.remedy, view.until)
    return None


async def stored(reading: Awaitable[T]) -> T:
    """The spool's answer; if there is none, `VerbError` with the reason."""
    try:
        return await reading
    except StorageUnavailable as error:
        raise VerbError(str(error)) from error
