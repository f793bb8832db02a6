"""Reports to the sender about messages that failed or are delayed.

    failed ─▶ Dsn ─▶ finish_attempt(report)       in one transaction: whenever the relay crashes,
                                                  the sender gets exactly one report

If several parts of a message fail one after the other (`policy.divide`), the first failure is
reported at once. Failures within the next minute are stored as reports that are not sent yet; at
the end of the minute, one report replaces them. This is repeated as long as each minute had any. If
the process ends in between, the stored reports are sent separately. No address gets more than
`MOST_PER_HOUR` reports that it did not ask for.

A report is sent in the lane of the message that it is about, with the null reverse path. No report
is sent about a message with a null reverse path, nor about another report, so that two mail servers
never exchange reports in a loop.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from graphrelay.clock import Clock
from graphrelay.journal import Journal, events
from graphrelay.mime import header, reading
from graphrelay.mime.header import HeaderSection
from graphrelay.model import (
    Address,
    Attempt,
    Delayed,
    Envelope,
    Failed,
    InlineBody,
    NewMessage,
    Notify,
    Origin,
    Plan,
    Queued,
    QueueEntry,
    Relayed,
    StorageUnavailable,
    Submission,
    Uncertain,
)
from graphrelay.relay.policy.decision import Decision
from graphrelay.relay.policy.reporting import ReportPolicy
from graphrelay.relay.reports import dsn
from graphrelay.relay.reports.dsn import Dsn, DsnEntry, DsnParties
from graphrelay.spool.contract import Spool
from graphrelay.spool.queries import HistoryOf

TOGETHER = timedelta(minutes=1)
"""Failures within it make one report."""
MARGIN = timedelta(seconds=15)
"""How much later a stored report is sent if it could not be merged."""
MOST_PER_HOUR = 100
"""Reports to one address that it did not ask for."""
_HOUR = timedelta(hours=1)

ORIGIN = Origin(listener="the relay itself", client="localhost")
_HEAD = 64 * 1024


@dataclass(frozen=True, slots=True)
class Report:
    """A report, as it is stored in the spool."""

    message: NewMessage
    octets: bytes
    merging: "tuple[_Minute, DsnEntry] | None" = None

    def taken(self, journal: Journal, put: tuple[Submission, ...]) -> None:
        """To be called once the spool has it: log it, or let it wait to be merged."""
        for one in put:
            if self.merging is not None:
                minute, entry = self.merging
                minute.waiting.append(_Waits(one.id, self.message, entry))
                continue
            journal.write(
                events.Accepted(
                    one.queue_id,
                    None,
                    one.envelope.forward_paths,
                    ORIGIN,
                    size=one.size,
                    message_id=one.message_id,
                )
            )


@dataclass(frozen=True, slots=True)
class _Waits:
    """A report that waits to be merged, as the submission with that id."""

    id: int
    message: NewMessage
    entry: DsnEntry


@dataclass(slots=True)
class _Minute:
    """Failures of one message until a point in time (monotonic)."""

    until: timedelta
    waiting: list[_Waits] = field(default_factory=list)
    is_counted: bool = False
    """Whether the merged report is counted among those that the address may have."""


class Reporter:
    """Composes reports."""

    def __init__(
        self,
        spool: Spool,
        clock: Clock,
        journal: Journal,
        policy: ReportPolicy,
        hostname: str,
    ) -> None:
        self._spool = spool
        self._clock = clock
        self._journal = journal
        self._policy = policy
        self._hostname = hostname
        self._minutes: dict[str, _Minute] = {}
        """By the queue id of the whole message."""
        self._begun = asyncio.Event()
        self._sent: deque[tuple[timedelta, str]] = deque()
        """The reports of the last hour: when (monotonic), and to which address."""
        self._counts: Counter[str] = Counter()

    async def run(self, put: Callable[[Iterable[QueueEntry]], None]) -> None:
        """Merge reports until cancelled; `put` is called with those that wait then."""
        while True:
            self._begun.clear()
            if not self._minutes:
                await self._begun.wait()
            first = min(minute.until for minute in self._minutes.values())
            await self._clock.sleep(max(first - self._clock.monotonic(), timedelta(0)))
            await self._merge(put)

    async def report(
        self, submission: Submission, attempt: Attempt, decision: Decision
    ) -> Report | None:
        """The report to send; `None` if there is nothing to report, or no recipient for it.

        Raises `StorageUnavailable`.
        """
        content = await self._dsn(submission, attempt, decision)
        about = self._of_interest(submission, content) if content else None
        if content is None or about is None:
            return None
        recipient = self._recipient(submission)
        beginning = await _beginning(submission)
        size = reading.header_size(beginning, len(submission.envelope.forward_paths))
        section = await reading.of(size, _section, submission, beginning)
        if recipient is None or (section and _is_report(section)):
            return None
        if not recipient.domain:
            self._journal.write(
                events.NotReported(
                    queue_id=submission.queue_id,
                    reason=f"the sender <{recipient}> has no domain to send a report to",
                )
            )
            return None
        if not (minute := self._minute_of(content, submission, recipient)):
            return None
        merging, then = None, None
        if isinstance(minute, _Minute):
            merging = minute, (content, about)
            then = self._clock.now() + (minute.until - self._clock.monotonic()) + MARGIN
        return await reading.of(
            size, self._compose, about, content, recipient, section, merging, then
        )

    def _minute_of(
        self, content: Dsn, submission: Submission, recipient: Address
    ) -> "_Minute | Literal['at once'] | None":
        """What the report is to be merged with; `None` if the address has had enough reports."""
        if content.action == "relayed":
            return "at once"
        name = submission.queue_id.partition("/")[0]
        minute = self._minutes.get(name) if content.action == "failed" else None
        is_counted = minute is not None and minute.is_counted
        if not is_counted and self._has_enough(recipient, submission):
            return None
        if minute is not None:
            minute.is_counted = True
            return minute
        if content.action == "failed":
            self._minutes[name] = _Minute(self._clock.monotonic() + TOGETHER)
            self._begun.set()
        return "at once"

    def _has_enough(self, recipient: Address, submission: Submission) -> bool:
        """Whether the address has had its share of reports; if not, this one is counted."""
        now = self._clock.monotonic()
        while self._sent and self._sent[0][0] <= now - _HOUR:
            _, key = self._sent.popleft()
            self._counts[key] -= 1
            if not self._counts[key]:
                del self._counts[key]
        if self._counts[recipient.key] < MOST_PER_HOUR:
            self._counts[recipient.key] += 1
            self._sent.append((now, recipient.key))
            return False
        self._journal.write(
            events.NotReported(
                queue_id=submission.queue_id,
                reason=f"<{recipient}> has had {MOST_PER_HOUR} reports within the hour",
            )
        )
        return True

    async def _merge(self, put: Callable[[Iterable[QueueEntry]], None]) -> None:
        """End the minutes that are over; one with failures is followed by another."""
        now = self._clock.monotonic()
        for name, minute in list(self._minutes.items()):
            if minute.until > now:
                continue
            waiting, minute.waiting = minute.waiting, []
            if not waiting:
                del self._minutes[name]
                continue
            minute.until, minute.is_counted = now + TOGETHER, False
            late = self._clock.now()
            together = [one for one in waiting if (one.message.not_before or late) > late]
            if len(together) > 1:
                put(await self._merged(together))

    async def _merged(self, waiting: Sequence[_Waits]) -> list[QueueEntry]:
        """Replace these reports by one. If that is not possible, they are sent separately."""
        entries = [one.entry for one in waiting]
        submission = entries[0][1]
        [recipient] = waiting[0].message.envelope.forward_paths
        beginning = await _beginning(submission)
        size = reading.header_size(beginning, len(entries))
        section = await reading.of(size, _section, submission, beginning)
        report = await reading.of(size, self._composed, entries, recipient, section)
        body = self._spool.incoming()
        try:
            await body.write(report.octets)
            reason = f"one report of {len(waiting)} failures takes its place"
            put = await self._spool.merge(
                [one.id for one in waiting], (report.message, body), reason
            )
        except StorageUnavailable as error:
            await body.discard()
            self._journal.write(
                events.ReportsNotMerged(queue_id=submission.queue_id, reason=str(error))
            )
            return []
        report.taken(self._journal, put)
        return [QueueEntry.of(one) for one in put]

    def _recipient(self, submission: Submission) -> Address | None:
        if submission.envelope.reverse_path is None or self._policy.to == "nobody":
            return None
        return submission.envelope.reverse_path if self._policy.to == "sender" else self._policy.to

    def _of_interest(self, submission: Submission, content: Dsn) -> Submission | None:
        """The submission with the recipients for whom the sender wants this report (RFC 3461
        section 5.2); a fixed address gets reports about all of them, but not of successes."""
        envelope = submission.envelope
        if self._policy.to != "sender":
            return None if content.action == "relayed" else submission
        unasked: tuple[Notify, ...] = (
            () if content.action == "relayed" else (_WORD[content.action],)
        )
        wanted = {one.path: one.notify or unasked for one in envelope.dsn_requests}
        paths = tuple(
            path
            for path in envelope.forward_paths
            if path not in submission.plan.unseen
            and _WORD[content.action] in wanted.get(path, unasked)
        )
        return replace(submission, envelope=envelope.to(paths)) if paths else None

    async def _dsn(
        self, submission: Submission, attempt: Attempt, decision: Decision
    ) -> Dsn | None:
        at = attempt.finished_at
        if decision.failed is not None:
            return _failure(submission, decision.failed, at)
        match attempt.outcome, decision.next:
            case Delayed() | Uncertain() as outcome, Queued() if await self._is_due(submission, at):
                return self._delay(submission, outcome, at)
            case Relayed() as relayed, _ if submission.envelope.dsn_requests:
                return _success(relayed, at)
            case _:
                return None

    async def _is_due(self, submission: Submission, at: datetime) -> bool:
        """Whether this is the first attempt to end after the time for a report of the delay."""
        if self._policy.delay_notice is None:
            return False
        due = submission.received_at + self._policy.delay_notice
        if at < due:
            return False
        history = await self._spool.read(HistoryOf(submission.queue_id))
        earlier = [
            event.finished_at
            for part in (history.parts if history else ())
            if part.submission_id == submission.id
            for event in part.history
            if isinstance(event, Attempt)
        ]
        return all(finished_at < due for finished_at in earlier)

    def _delay(self, submission: Submission, outcome: Delayed | Uncertain, at: datetime) -> Dsn:
        until = submission.received_at + self._policy.lifetime
        return Dsn(
            action="delayed",
            status=outcome.status if isinstance(outcome, Delayed) else "4.4.2",
            reason=f"Reason: {outcome.reason}.",
            following="The relay keeps trying. You need not do anything; do not send it again.",
            answer=outcome.answer,
            at=at,
            retried_until=until,
        )

    def _compose(
        self,
        submission: Submission,
        content: Dsn,
        recipient: Address,
        section: HeaderSection | None,
        merging: "tuple[_Minute, DsnEntry] | None" = None,
        not_before: datetime | None = None,
    ) -> Report:
        report = self._composed([(content, submission)], recipient, section, not_before)
        return replace(report, merging=merging)

    def _composed(
        self,
        entries: Sequence[DsnEntry],
        recipient: Address,
        section: HeaderSection | None,
        not_before: datetime | None = None,
    ) -> Report:
        now = self._clock.now()
        content, submission = entries[0]
        name = submission.queue_id.replace("/", "-")
        parties = DsnParties(
            sender=submission.plan.lane.mailbox,
            recipient=recipient,
            message_id=f"<{name}.{content.action}@{self._hostname}>",
            hostname=self._hostname,
            boundary=f"notice-{name}-{content.action}",
        )
        octets = dsn.compose(entries, parties, section.octets if section else b"")
        new = NewMessage(
            envelope=Envelope(None, (recipient,)),
            origin=ORIGIN,
            received_at=now,
            message_id=parties.message_id,
            subject=f"{content.action} {submission.queue_id}",
            prefix=b"",
            parts=((Plan(route="report", lane=submission.plan.lane), (recipient,)),),
            not_before=not_before,
        )
        return Report(new, octets)


_WORD: dict[str, Notify] = {"failed": "FAILURE", "delayed": "DELAY", "relayed": "SUCCESS"}


def _success(relayed: Relayed, at: datetime) -> Dsn:
    return Dsn(
        action="relayed",
        status="2.0.0",
        reason="Microsoft has accepted the message for sending.",
        following="The relay cannot tell whether it arrives: Exchange reports failures itself.",
        answer=relayed.answer,
        at=at,
    )


def _failure(submission: Submission, failed: Failed, at: datetime) -> Dsn:
    return Dsn(
        action="failed",
        status=failed.status,
        reason=f"Reason: {failed.reason}".removesuffix(".") + ".",
        following="The relay does not try again. Correct the problem, then send it again.",
        answer=failed.answer,
        at=at,
    )


async def _beginning(submission: Submission) -> bytes:
    """The beginning of its body; empty if it cannot be read, which must not delay a report."""
    body = submission.body
    if isinstance(body, InlineBody):
        return body.octets[:_HEAD]
    try:
        return await asyncio.to_thread(body.read, 0, _HEAD)
    except StorageUnavailable:
        return b""


def _section(submission: Submission, beginning: bytes) -> HeaderSection | None:
    """The message's header section, if it can be read."""
    if not beginning and submission.body.size:
        return None
    complete = len(beginning) == submission.body.size
    return header.below(submission.prefix, beginning, complete=complete)


def _is_report(section: HeaderSection) -> bool:
    """Whether the message is one of the relay's reports that came back, or a report of another mail
    server."""
    if section.first(dsn.MARK.lower()):
        return True
    kinds = (section.unfolded(found).lower() for found in section.find("content-type"))
    return any(kind.startswith(b"multipart/report") for kind in kinds)
