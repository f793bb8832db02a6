"""What an entry of the journal means for the alerts: a table, event by event.

An event that does not stand here means nothing, among them all that the alerts themselves write.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from graphrelay.alerts.alert import Kind, clean
from graphrelay.journal import Entry


@dataclass(frozen=True, slots=True)
class Wrong:
    """Something is wrong with `subject`; `member` tells several wrongs of one subject apart."""

    kind: Kind
    subject: str
    member: str
    text: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Right:
    """That `member` of the subject is fine."""

    kind: Kind
    subject: str
    member: str


@dataclass(frozen=True, slots=True)
class Lost:
    """A message failed for good."""

    text: str


Signal = Wrong | Right | Lost


def signals(entry: Entry) -> Iterator[Signal]:
    """What it means, if anything."""
    meaning = _MEANING.get(entry.event)
    return meaning(entry) if meaning else iter(())


def _field(entry: Entry, name: str) -> str:
    return clean(entry.fields.get(name) or "")


def _remedy(entry: Entry) -> str:
    """As a sentence; some events name the bare command."""
    remedy = _field(entry, "remedy")
    return f"Run: {remedy}" if remedy.startswith("graphrelay ") else remedy


def _unauthorized(entry: Entry) -> Iterator[Signal]:
    account = _field(entry, "account")
    text = f'account "{account}" is not authorized: {_field(entry, "reason")}'
    yield Wrong(Kind.AUTHORIZATION, account, "", text.rstrip(". "), _remedy(entry))


def _authorized(entry: Entry) -> Iterator[Signal]:
    yield Right(Kind.AUTHORIZATION, _field(entry, "account"), "")


def _credential_ends(entry: Entry) -> Iterator[Signal]:
    account = _field(entry, "account")
    text = f'account "{account}": {_field(entry, "reason")}'
    yield Wrong(Kind.CREDENTIAL, account, "", text.rstrip(". "), _remedy(entry))


def _paused(entry: Entry) -> Iterator[Signal]:
    account, mailbox = _field(entry, "account"), _field(entry, "mailbox")
    reason, remedy = _field(entry, "reason").rstrip(". "), _remedy(entry)
    lane = f"{account}/{mailbox}"
    if entry.fields.get("trouble") == "authorization":
        yield Right(Kind.PAUSED, lane, "")
        text = f'account "{account}" is not authorized: {reason}'
        yield Wrong(Kind.AUTHORIZATION, account, mailbox, text, remedy)
    else:
        yield Right(Kind.AUTHORIZATION, account, mailbox)
        text = f"the mail of {lane} is paused ({_field(entry, 'trouble')}): {reason}"
        yield Wrong(Kind.PAUSED, lane, "", text, remedy)


def _resumed(entry: Entry) -> Iterator[Signal]:
    account, mailbox = _field(entry, "account"), _field(entry, "mailbox")
    yield Right(Kind.AUTHORIZATION, account, mailbox)
    yield Right(Kind.PAUSED, f"{account}/{mailbox}", "")


def _failed(entry: Entry) -> Iterator[Signal]:
    yield Lost(f"{_field(entry, 'status')} {_field(entry, 'reason')}".strip(". "))


def _spool(entry: Entry) -> Iterator[Signal]:
    reason = _field(entry, "reason").rstrip(". ")
    text = f"{_SPOOL[entry.event]}: {reason}" if reason else _SPOOL[entry.event]
    yield Wrong(Kind.SPOOL, "", entry.event, text, _remedy(entry))


_SPOOL = {
    "spool-damaged": "the spool's database is damaged",
    "spool-recovered": "the spool was damaged and has been recovered; the log says what is missing",
    "spool-housekeeping": "the spool cannot be tidied",
    "queue-not-read": "the queue cannot be read",
    "outcome-not-recorded": "the outcome of an attempt cannot be recorded",
    "smtp-trouble": "mail was not taken, for trouble of our own",
}
_MEANING: dict[str, Callable[[Entry], Iterator[Signal]]] = {
    **dict.fromkeys(("unauthorized", "authorization-refused", "vault-problem"), _unauthorized),
    # Who revokes an authorization knows that it is gone.
    **dict.fromkeys(("authorized", "authorization-works", "revoked"), _authorized),
    "credential-ends": _credential_ends,
    "paused": _paused,
    "resumed": _resumed,
    # Exchange's own failures, told by a report, count too.
    **dict.fromkeys(("failed", "bounced"), _failed),
    **dict.fromkeys(_SPOOL, _spool),
}
