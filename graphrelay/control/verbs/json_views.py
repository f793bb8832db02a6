"""Values as JSON: what is sent over the control socket, and what `--json` prints.

The keys are part of the contract with other programs: they may be added to, never renamed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isinf

from graphrelay.control.verb import Output
from graphrelay.durations import Durations
from graphrelay.model import (
    Address,
    Attempt,
    Delayed,
    Done,
    DraftProgress,
    Failed,
    Held,
    Lane,
    NextState,
    Outcome,
    Paused,
    Queued,
    Relayed,
    Uncertain,
)
from graphrelay.oauth.answers import TokenRefused
from graphrelay.oauth.scenario import Permission
from graphrelay.oauth.tokens.status import Evidence, Status
from graphrelay.relay.deliver.request_limits import Learned
from graphrelay.relay.policy.budget import Use
from graphrelay.relay.queue.lane_view import LaneView
from graphrelay.spool.values import (
    HistoryEvent,
    LogRow,
    MessageHistory,
    PartHistory,
    QueueRow,
    Refusal,
    RelayRow,
    Stats,
    Tallied,
)


def when(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC, to the second."""
    return moment.isoformat(timespec="seconds") if moment else None


def address(path: Address | None) -> str:
    return str(path) if path else "<>"


@dataclass(frozen=True, slots=True)
class WhyWaiting:
    """Why a lane sends nothing at present."""

    state: str
    """As of a LaneView, or `not running`."""
    reason: str
    remedy: str
    until: datetime | None


def queue_row(row: QueueRow, now: datetime, waits: WhyWaiting | None) -> Output:
    return {
        "id": row.submission_id,
        "queue_id": row.queue_id,
        "received_at": when(row.received_at),
        "sender": address(row.sender),
        "recipients": [address(path) for path in row.recipients],
        "size": row.size,
        "subject": row.subject,
        "account": row.lane.account,
        "mailbox": row.lane.mailbox,
        "route": row.route,
        "attempts": row.attempts,
        "last": row.last,
        **_state(row.state, row.in_flight_since),
        **_waits(row.state, row.in_flight_since, now, waits),
    }


def refusal(refused: Refusal) -> Output:
    return {
        "since": when(refused.since),
        "at": when(refused.at),
        "times": refused.times,
        "client": refused.client,
        "listener": refused.listener,
        "stage": refused.stage,
        "reply": refused.reply,
        "reason": refused.reason,
        "login": refused.login,
        "sender": refused.sender,
        "recipient": refused.recipient,
    }


def log_row(row: LogRow) -> Output:
    return {
        "id": row.id,
        "at": when(row.at),
        "queue_id": row.queue_id,
        "outcome": row.what,
        "reason": row.reason,
        "sender": address(row.sender),
        "recipients": [address(path) for path in row.recipients],
        "size": row.size,
        "subject": row.subject,
        "client": row.client,
        "account": row.lane.account,
        "mailbox": row.lane.mailbox,
        "attempt": row.number,
        "octets_kept": row.octets_kept,
        "lost": _lost(row.outcome),
        **(_outcome(row.outcome) if row.outcome else {}),
    }


def message(
    history: MessageHistory, now: datetime, waits: Mapping[Lane, WhyWaiting | None]
) -> Output:
    return {
        "queue_id": history.queue_id,
        "received_at": when(history.received_at),
        "sender": address(history.sender),
        "client": history.origin.client,
        "listener": history.origin.listener,
        "helo": history.origin.helo,
        "login": history.origin.login,
        "tls": history.origin.tls,
        "message_id": history.message_id,
        "subject": history.subject,
        "size": history.size,
        "octets_kept": history.octets_kept,
        "parts": [_part(part, now, waits.get(part.plan.lane)) for part in history.parts],
    }


def _part(part: PartHistory, now: datetime, waits: WhyWaiting | None) -> Output:
    in_flight = part.in_flight.started_at if part.in_flight else None
    return {
        "queue_id": part.queue_id,
        "recipients": [address(path) for path in part.recipients],
        "account": part.plan.lane.account,
        "mailbox": part.plan.lane.mailbox,
        "route": part.plan.route,
        "from_address": part.plan.from_address,
        "content": part.plan.content,
        **_state(part.state, in_flight),
        **_waits(part.state, in_flight, now, waits),
        "done_at": when(part.done_at),
        "draft": _draft(part.draft) if part.draft else None,
        "history": [_happened(event) for event in part.history],
    }


def _lost(outcome: Outcome | None) -> list[str]:
    """The parts of the message that were not sent along."""
    return list(outcome.lost) if isinstance(outcome, Relayed | Uncertain) else []


def _draft(progress: DraftProgress) -> Output:
    """Without the URL of the upload session, which contains its own authorization."""
    return {
        "id": progress.id,
        "attachments": progress.attachments,
        "attached": progress.attached,
        "uploaded": progress.uploaded,
        "lost": list(progress.lost),
    }


def _happened(event: Attempt | HistoryEvent) -> Output:
    if isinstance(event, HistoryEvent):
        return {"at": when(event.at), "outcome": event.what, "reason": event.reason}
    return {
        "at": when(event.finished_at),
        "attempt": event.number,
        "started_at": when(event.started_at),
        "outcome": type(event.outcome).__name__.lower(),
        "reason": "" if isinstance(event.outcome, Relayed) else event.outcome.reason,
        "lost": _lost(event.outcome),
        **_outcome(event.outcome),
    }


def _state(state: NextState, in_flight_since: datetime | None) -> Output:
    match state:
        case _ if in_flight_since:
            return {"state": "in flight", "since": when(in_flight_since)}
        case Queued(not_before):
            return {"state": "queued", "not_before": when(not_before)}
        case Held(reason):
            return {"state": "held", "reason": reason}
        case Done(how, reason):
            return {"state": how, "reason": reason}


def _waits(
    state: NextState, in_flight_since: datetime | None, now: datetime, waits: WhyWaiting | None
) -> Output:
    """For what is queued: whether it is due, and why it waits all the same."""
    if in_flight_since or not isinstance(state, Queued):
        return {}
    why = waits and {
        "state": waits.state,
        "reason": waits.reason,
        "remedy": waits.remedy,
        "until": when(waits.until),
    }
    return {"due": state.not_before <= now, "waits": why}


def _outcome(outcome: Outcome) -> Output:
    answer = outcome.answer
    shown: Output = {
        "http": answer.http_status,
        "code": answer.code,
        "message": answer.message,
        "request_id": answer.request_id,
        "client_request_id": answer.client_request_id,
    }
    match outcome:
        case Delayed() | Failed():
            shown["status"] = outcome.status
        case Paused():
            shown |= {"status": outcome.status, "remedy": outcome.remedy}
        case Relayed() | Uncertain():
            pass
    return shown


def tallied(row: Tallied) -> Output:
    return {
        "start": when(row.start),
        "outcome": row.what,
        "count": row.count,
        "waited": row.waited.total_seconds(),
    }


def figures(stats: Stats) -> Output:
    return {
        "queued": stats.queued,
        "held": stats.held,
        "in_flight": stats.in_flight,
        "octets": stats.octets,
        "oldest": when(stats.oldest),
        "database": stats.database,
        "free": stats.free,
        "commit": stats.commit and _durations(stats.commit),
        "fsync": stats.fsync and _durations(stats.fsync),
    }


def _durations(durations: Durations) -> Output:
    """Seconds; the last bound, `None`, is infinite."""
    buckets, total = durations.read()
    return {
        "buckets": [[None if isinf(bound) else bound, count] for bound, count in buckets],
        "sum": total,
    }


def relay(row: RelayRow) -> Output:
    return {
        "host": row.host,
        "version": row.version,
        "started_at": when(row.started_at),
        "lanes": row.lanes,
        "with_mail": row.with_mail,
        "expires_in": row.expires_in.total_seconds(),
        "leaving": row.leaving,
    }


def lane(view: LaneView, learned: Learned | None = None) -> Output:
    """`learned`: what Graph refused of the lane within a day."""
    limit = {"octets": learned.most, "until": when(learned.until)} if learned else None
    return {
        "account": view.lane.account,
        "mailbox": view.lane.mailbox,
        "state": view.state,
        "reason": view.reason,
        "remedy": view.remedy,
        "until": when(view.until),
        "waiting": view.waiting,
        "in_flight": view.in_flight,
        "allowed": view.allowed,
        "oldest": when(view.oldest),
        "budgets": [_budget(use) for use in view.budgets],
        "mime_limit": limit,
        "host": view.host,
    }


def _budget(use: Use) -> Output:
    """Times in seconds."""
    left = use.exhausted_in
    return {
        "what": use.limit.what,
        "used": use.used,
        "most": use.limit.most,
        "window": round(use.limit.window.total_seconds()),
        "exhausted_in": None if left is None else round(left.total_seconds()),
    }


def status(found: Status) -> Output:
    verdict = found.verdict
    shown: Output = {
        "account": found.account,
        "scenario": found.scenario,
        "status": found.word,
        "well": found.is_well,
        "vault": found.vault,
        "remedy": getattr(verdict, "remedy", ""),
        "reason": getattr(verdict, "reason", ""),
        "warning": f"{found.warning.reason} {found.warning.remedy}" if found.warning else "",
    }
    if isinstance(verdict, TokenRefused):
        shown |= {
            "error": verdict.error,
            "suberror": verdict.suberror,
            "error_codes": list(verdict.error_codes),
            "reason": verdict.description,
            "kind": verdict.kind,
        }
    return shown | (_evidence(found.evidence) if found.evidence else {})


def needed(permissions: Iterable[Permission]) -> list[Output]:
    """The permissions that are needed, and why."""
    return [
        {"name": permission.name, "kind": permission.kind.value, "reason": permission.reason}
        for permission in permissions
    ]


def _evidence(evidence: Evidence) -> Output:
    return {
        "who": evidence.who,
        "tenant": evidence.tenant,
        "authorized_at": when(evidence.authorized_at),
        "authorized_by": evidence.authorized_by,
        "refreshed_at": when(evidence.refreshed_at),
        "token_expires_at": when(evidence.token_expires_at),
        "issued_at": when(evidence.issued_at),
        "lapses_at": when(evidence.lapses_at),
        "granted": list(evidence.granted),
        "needed": needed(evidence.needed),
        "missing": list(evidence.missing),
        "superfluous": list(evidence.superfluous),
        "credential_ends_at": when(evidence.credential_ends_at),
    }
