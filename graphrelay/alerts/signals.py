"""What an event means for the alerts: a table, by the event's type.

An event that is not in the table means nothing, among them all that the alerts write themselves.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from graphrelay.alerts.alert import LONGEST, AlertKind
from graphrelay.journal import events
from graphrelay.journal.event import Event
from graphrelay.model import Trouble, one_line


@dataclass(frozen=True, slots=True)
class Raised:
    """Something is wrong with `subject`; `member` distinguishes several troubles of a subject."""

    kind: AlertKind
    subject: str
    member: str
    text: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Cleared:
    """That `member` of the subject is in order."""

    kind: AlertKind
    subject: str
    member: str


@dataclass(frozen=True, slots=True)
class MessageFailed:
    """A message failed for good."""

    text: str


Signal = Raised | Cleared | MessageFailed

SPOOL: dict[type[Event], str] = {
    events.SpoolDamaged: "the spool's database is damaged",
    events.SpoolRecovered: "the spool was damaged and has been recovered; the log says what is "
    "missing",
    events.SpoolHousekeeping: "the spool's housekeeping fails",
    events.SpoolBroke: "the spool's housekeeping fails",
    events.QueueNotRead: "the queue cannot be read",
    events.OutcomeNotRecorded: "the outcome of an attempt cannot be recorded",
    events.SmtpTrouble: "mail was not accepted, for trouble of our own",
}
"""Trouble with storing mail, and how it is worded."""


def signals(event: Event) -> Iterator[Signal]:
    """What it means, if anything."""
    match event:
        case events.Paused():
            yield from _paused(event)
        case events.Resumed(lane=lane):
            yield Cleared(AlertKind.AUTHORIZATION, lane.account, lane.mailbox)
            yield Cleared(AlertKind.PAUSED, one_line(lane, LONGEST), "")
        case events.Unauthorized() | events.AuthorizationRefused() | events.VaultProblem():
            text = f'account "{event.account}" is not authorized: {_clause(event.reason)}'
            remedy = _sentence(event.remedy)
            yield Raised(AlertKind.AUTHORIZATION, event.account, "", text, remedy)
        case events.Authorized() | events.AuthorizationWorks() | events.Revoked():
            # Revoked: whoever did it knows that the authorization is gone.
            yield Cleared(AlertKind.AUTHORIZATION, event.account, "")
        case events.CredentialEnds(account=account):
            text = f'account "{account}": {_clause(event.reason)}'
            yield Raised(AlertKind.CREDENTIAL, account, "", text, _sentence(event.remedy))
        case events.Failed(outcome=outcome):
            yield MessageFailed(_clause(f"{outcome.status} {outcome.reason}"))
        case events.Bounced():  # Failures in Exchange count too.
            yield MessageFailed(_clause(f"{event.status} {event.reason}"))
        case _ if type(event) in SPOOL:
            yield _spool(event)


def _paused(event: events.Paused) -> Iterator[Signal]:
    account, mailbox, outcome = event.lane.account, event.lane.mailbox, event.outcome
    lane = one_line(event.lane, LONGEST)
    reason, remedy = _clause(outcome.reason), _sentence(outcome.remedy)
    if outcome.trouble is Trouble.AUTHORIZATION:
        yield Cleared(AlertKind.PAUSED, lane, "")
        text = f'account "{account}" is not authorized: {reason}'
        yield Raised(AlertKind.AUTHORIZATION, account, mailbox, text, remedy)
    else:
        yield Cleared(AlertKind.AUTHORIZATION, account, mailbox)
        text = f"the mail of {lane} is paused ({outcome.trouble.value}): {reason}"
        yield Raised(AlertKind.PAUSED, lane, "", text, remedy)


def _spool(event: Event) -> Raised:
    fields = event.fields()
    reason, remedy = _clause(fields.get("reason")), _sentence(fields.get("remedy"))
    text = f"{SPOOL[type(event)]}: {reason}" if reason else SPOOL[type(event)]
    return Raised(AlertKind.SPOOL, "", event.name, text, remedy)


def _clause(reason: object) -> str:
    return one_line(reason or "", LONGEST).strip(". ")


def _sentence(remedy: object) -> str:
    """Some events name the bare command."""
    text = one_line(remedy or "", LONGEST)
    return f"Run: {text}" if text.startswith("graphrelay ") else text
