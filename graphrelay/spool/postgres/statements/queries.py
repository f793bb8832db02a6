"""The answer to each query of the contract."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from graphrelay.durations import Durations
from graphrelay.spool.postgres import lane_notes
from graphrelay.spool.postgres.connections import Connection
from graphrelay.spool.postgres.database_clock import DatabaseClock
from graphrelay.spool.postgres.statements import (
    attempts,
    drafts,
    due,
    history,
    ndrs,
    refusals,
    relays,
)
from graphrelay.spool.queries import (
    Backlogs,
    Count,
    HistoryOf,
    InFlight,
    LaneNotes,
    LanesUsed,
    LeftDrafts,
    LogFilter,
    Matching,
    Query,
    QueueFilter,
    RefusalFilter,
    RelayedTo,
    Relays,
    SharesMessageId,
    Tally,
)


async def answer(
    connection: Connection,
    query: Query[Any],
    *,
    clock: DatabaseClock,
    relay: str,
    request_limit: timedelta,
    commits: Durations,
) -> Any:
    match query:
        case QueueFilter():
            return await history.queue(connection, query, clock)
        case Matching():
            return await history.matching(connection, query.wanted)
        case LogFilter():
            return await history.log(connection, query)
        case RefusalFilter():
            return await refusals.log(connection, query)
        case HistoryOf():
            return await history.message(connection, query, clock)
        case Count():
            return replace(await history.figures(connection), commit=commits)
        case Backlogs():
            return await due.backlogs(connection)
        case Relays():
            return await relays.every(connection, clock)
        case LaneNotes():
            return await lane_notes.of_others(connection, clock, relay)
        case InFlight():
            return await attempts.interrupted(connection, relay, request_limit)
        case LeftDrafts():
            return await drafts.left_behind(connection, relay)
        case Tally():
            return await history.tally(connection, query)
        case LanesUsed():
            return await ndrs.lanes_used(connection, query, relay)
        case RelayedTo():
            return await ndrs.relayed_to(connection, query)
        case SharesMessageId():
            return await history.shares_message_id(connection, query)
    raise TypeError(f"not a query: {query!r}")
