"""Telling the sender: a message that failed, or takes long, is reported through the same relay.

    failed ─▶ notice ─▶ finish_attempt(report)       in one transaction: no crash tells the sender
                                                     twice, or not at all

A notice goes out by the lane of the message that it is about, with the null reverse path. Nothing
is reported about a message that has one, nor about a notice, so that no two machines ever write
each other for ever.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, Protocol

from graphrelay.clock import Clock
from graphrelay.journal import Journal
from graphrelay.mime import header, reading
from graphrelay.mime.header import HeaderSection
from graphrelay.model import (
    Address,
    Attempt,
    Delayed,
    Envelope,
    Failed,
    FiledBody,
    InlineBody,
    NewMessage,
    Notify,
    Origin,
    Plan,
    Queued,
    Relayed,
    Submission,
    Uncertain,
)
from graphrelay.relay.policy.decision import Decision
from graphrelay.relay.reports import dsn
from graphrelay.relay.reports.dsn import Letter, Notice
from graphrelay.spool.values import MessageHistory

ReportTo = Literal["sender", "nobody"] | Address
"""Who hears of failures: the envelope's sender, nobody, or always the same address."""

ORIGIN = Origin(listener="the relay itself", client="localhost")
_HEAD = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPolicy:
    """Who is told what."""

    to: ReportTo = "sender"
    delay_notice: timedelta | None = None
    """After how long the sender hears that a message waits; `None`: not at all."""
    lifetime: timedelta = timedelta(days=5)
    """As in DeliveryPolicy: what a delay notice promises."""


@dataclass(frozen=True, slots=True)
class Report:
    """A notice, as the spool is to take it."""

    message: NewMessage
    octets: bytes

    def tell(self, journal: Journal, put: tuple[Submission, ...]) -> None:
        """Once the spool has taken it."""
        for one in put:
            journal.accepted(
                one.queue_id,
                None,
                one.envelope.forward_paths,
                ORIGIN,
                size=one.size,
                message_id=one.message_id,
            )


class ReportSpool(Protocol):
    """What is needed of the spool."""

    async def show(self, queue_id: str) -> MessageHistory | None: ...


class Reporter:
    """Writes notices."""

    def __init__(
        self,
        spool: ReportSpool,
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

    async def report(
        self, submission: Submission, attempt: Attempt, decision: Decision
    ) -> Report | None:
        """What is to be told, and to whom; `None` if there is nothing to tell, or nobody.

        Raises `StorageUnavailable`.
        """
        told = await self._notice(submission, attempt, decision)
        about = self._of_interest(submission, told) if told else None
        if told is None or about is None:
            return None
        recipient = self._recipient(submission)
        beginning = await _beginning(submission)
        size = reading.header_size(beginning, len(submission.envelope.forward_paths))
        section = await reading.of(size, _section, submission, beginning)
        if recipient is None or (section and _is_notice(section)):
            return None
        if not recipient.domain:
            self._journal.warning(
                "not-reported",
                message=submission.queue_id,
                reason=f"the sender <{recipient}> has no domain to send a report to",
            )
            return None
        return await reading.of(size, self._compose, about, told, recipient, section)

    def _recipient(self, submission: Submission) -> Address | None:
        if submission.envelope.reverse_path is None or self._policy.to == "nobody":
            return None
        return submission.envelope.reverse_path if self._policy.to == "sender" else self._policy.to

    def _of_interest(self, submission: Submission, told: Notice) -> Submission | None:
        """The submission to those whom the sender knows and wants to hear of (RFC 3461 section
        5.2); a fixed address hears of everybody, but not of successes."""
        envelope = submission.envelope
        if self._policy.to != "sender":
            return None if told.action == "relayed" else submission
        unasked: tuple[Notify, ...] = () if told.action == "relayed" else (_WORD[told.action],)
        wanted = {one.path: one.notify or unasked for one in envelope.asked}
        paths = tuple(
            path
            for path in envelope.forward_paths
            if path not in submission.plan.unseen
            and _WORD[told.action] in wanted.get(path, unasked)
        )
        return replace(submission, envelope=envelope.to(paths)) if paths else None

    async def _notice(
        self, submission: Submission, attempt: Attempt, decision: Decision
    ) -> Notice | None:
        at = attempt.finished_at
        if decision.failed is not None:
            return _failure(submission, decision.failed, at)
        match attempt.outcome, decision.next:
            case Delayed() | Uncertain() as outcome, Queued() if await self._is_due(submission, at):
                return self._delay(submission, outcome, at)
            case Relayed() as relayed, _ if submission.envelope.asked:
                return _success(relayed, at)
            case _:
                return None

    async def _is_due(self, submission: Submission, at: datetime) -> bool:
        """Whether this is the first attempt to end after the time for a delay notice."""
        if self._policy.delay_notice is None:
            return False
        due = submission.received_at + self._policy.delay_notice
        if at < due:
            return False
        history = await self._spool.show(submission.queue_id)
        earlier = [
            event.finished_at
            for part in (history.parts if history else ())
            if part.submission_id == submission.id
            for event in part.history
            if isinstance(event, Attempt)
        ]
        return all(finished_at < due for finished_at in earlier)

    def _delay(self, submission: Submission, outcome: Delayed | Uncertain, at: datetime) -> Notice:
        until = submission.received_at + self._policy.lifetime
        return Notice(
            action="delayed",
            status=outcome.status if isinstance(outcome, Delayed) else "4.4.2",
            reason=f"Reason: {outcome.reason}.",
            following="The relay goes on trying. You need not do anything, nor send it again.",
            answer=outcome.answer,
            at=at,
            retried_until=until,
        )

    def _compose(
        self,
        submission: Submission,
        told: Notice,
        recipient: Address,
        section: HeaderSection | None,
    ) -> Report:
        now = self._clock.now()
        name = submission.queue_id.replace("/", "-")
        letter = Letter(
            sender=submission.plan.lane.mailbox,
            recipient=recipient,
            message_id=f"<{name}.{told.action}@{self._hostname}>",
            hostname=self._hostname,
            boundary=f"notice-{name}-{told.action}",
        )
        octets = dsn.compose(told, letter, submission, section.octets if section else b"")
        new = NewMessage(
            envelope=Envelope(None, (recipient,)),
            origin=ORIGIN,
            received_at=now,
            message_id=letter.message_id,
            subject=f"{told.action} {submission.queue_id}",
            prefix=b"",
            parts=((Plan(route="report", lane=submission.plan.lane), (recipient,)),),
        )
        return Report(new, octets)


_WORD: dict[str, Notify] = {"failed": "FAILURE", "delayed": "DELAY", "relayed": "SUCCESS"}


def _success(relayed: Relayed, at: datetime) -> Notice:
    return Notice(
        action="relayed",
        status="2.0.0",
        reason="Microsoft has taken the message for sending.",
        following="Whether it arrives, the relay cannot know: Exchange reports failures itself.",
        answer=relayed.answer,
        at=at,
    )


def _failure(submission: Submission, failed: Failed, at: datetime) -> Notice:
    return Notice(
        action="failed",
        status=failed.status,
        reason=f"Reason: {failed.reason}".removesuffix(".") + ".",
        following="The relay does not try again. Correct what is wrong, then send it once more.",
        answer=failed.answer,
        at=at,
    )


async def _beginning(submission: Submission) -> bytes:
    """Of its body; nothing where it cannot be read, which delays no report."""
    match submission.body:
        case InlineBody(octets):
            return octets[:_HEAD]
        case FiledBody(path):
            try:
                return await asyncio.to_thread(_read, path)
            except OSError:
                return b""


def _section(submission: Submission, beginning: bytes) -> HeaderSection | None:
    """The message's header section, if that can be read."""
    if not beginning and submission.body.size:
        return None
    complete = len(beginning) == submission.body.size
    return header.below(submission.prefix, beginning, complete=complete)


def _read(path: Path) -> bytes:
    with path.open("rb") as opened:
        return opened.read(_HEAD)


def _is_notice(section: HeaderSection) -> bool:
    """One of ours that came back, or another machine's report."""
    if section.first(dsn.MARK.lower()):
        return True
    kinds = (section.unfolded(found).lower() for found in section.find("content-type"))
    return any(kind.startswith(b"multipart/report") for kind in kinds)
