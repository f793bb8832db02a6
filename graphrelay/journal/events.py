"""The events, each a type: the catalogue of the journal's lines (event.py says what an event is).

It is one file, so that whoever looks for a line of the log finds all of them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypedDict

from graphrelay import model
from graphrelay.journal.event import Event, Value, answer_of, path, paths, plain
from graphrelay.model import Address, Lane, Origin, Submission

# --- Mail ----------------------------------------------------------------------------------------


class Accepted(Event):
    """The message is on disk, and the client is about to receive 250."""

    queue_id: str
    reverse_path: Address | None
    recipients: Sequence[Address]
    origin: Origin
    size: int
    message_id: str

    def fields(self) -> Mapping[str, Value]:
        return {
            "queue_id": self.queue_id,
            "sender": path(self.reverse_path),
            "recipients": paths(self.recipients),
            "size": self.size,
            "client": self.origin.client,
            "listener": self.origin.listener,
            "login": self.origin.login,
            "tls": self.origin.tls,
            "message_id": self.message_id,
        }


class Attempt(Event, level="debug"):
    """A request to Graph is about to be sent."""

    submission: Submission
    number: int

    def fields(self) -> Mapping[str, Value]:
        return {
            "queue_id": self.submission.queue_id,
            "number": self.number,
            "account": self.submission.plan.lane.account,
            "mailbox": self.submission.plan.lane.mailbox,
            "route": self.submission.plan.route,
        }


class Relayed(Event):
    """Graph accepted the message."""

    submission: Submission
    outcome: model.Relayed
    took: timedelta

    def fields(self) -> Mapping[str, Value]:
        return {
            "queue_id": self.submission.queue_id,
            "mailbox": self.submission.plan.lane.mailbox,
            "recipients": paths(self.submission.envelope.forward_paths),
            "redirected_to": self.submission.plan.redirect_to,
            "http": self.outcome.answer.http_status,
            "request_id": self.outcome.answer.request_id,
            "seconds": round(self.took.total_seconds(), 3),
            "lost": self.outcome.lost or None,
        }


class Delayed(Event, level="warning"):
    """Nothing was sent; the next attempt is at `until`."""

    submission: Submission
    outcome: model.Delayed
    until: datetime

    def fields(self) -> Mapping[str, Value]:
        return {
            "queue_id": self.submission.queue_id,
            "status": self.outcome.status,
            "reason": self.outcome.reason,
            "until": plain(self.until),
            **answer_of(self.outcome.answer),
        }


class Failed(Event, level="error"):
    """Nothing was sent, and nothing will be."""

    submission: Submission
    outcome: model.Failed

    def fields(self) -> Mapping[str, Value]:
        return {
            "queue_id": self.submission.queue_id,
            "status": self.outcome.status,
            "reason": self.outcome.reason,
            "recipients": paths(self.submission.envelope.forward_paths),
            **answer_of(self.outcome.answer),
        }


class Uncertain(Event, level="warning"):
    """The message may have been sent; `next` says what the relay does next."""

    submission: Submission
    outcome: model.Uncertain
    next: str

    def fields(self) -> Mapping[str, Value]:
        return {
            "queue_id": self.submission.queue_id,
            "reason": self.outcome.reason,
            "next": self.next,
            **answer_of(self.outcome.answer),
            "client_request_id": self.outcome.answer.client_request_id or None,
        }


class Settled(Event):
    """The relay looked in the mailbox for the message of an uncertain attempt; `found` is the
    result."""

    queue_id: str
    found: str


class DraftSwept(Event):
    """The draft of a message that was given up is no longer in Drafts."""

    queue_id: str
    found: str


class DraftsNotSwept(Event, level="warning"):
    """The relay could not look for drafts of messages that were given up."""

    reason: str


class Held(Event, level="warning"):
    """A message is held until an administrator releases it."""

    queue_id: str
    reason: str


class Released(Event):
    """An administrator released a held message."""

    queue_id: str
    reason: str | None = None


class Retried(Event):
    """An administrator asked for an attempt now."""

    queue_id: str
    reason: str | None = None


class Resent(Event):
    """An administrator had a message sent once more; `queue_id` is the new one's."""

    queue_id: str
    of: str
    reason: str | None = None


class Deleted(Event, level="warning"):
    """An administrator deleted a message from the queue."""

    queue_id: str
    reason: str


class Moved(Event, level="warning"):
    """A message is sent through the backup account from now on."""

    queue_id: str
    reason: str


class NotMoved(Event, level="error"):
    """A message could not be moved to the backup account because of a bug, or none of a lane
    because of the disk."""

    reason: str
    submission: int | None = None
    lane: str | None = None


class LaneNotRead(Event, level="error"):
    """Because of a bug, the relay could not read what is due in a lane."""

    lane: str
    reason: str


class Divided(Event, level="warning"):
    """A message was divided into several submissions, so that one bad recipient does not affect the
    others."""

    queue_id: str
    recipients: int
    submissions: int
    reason: str


class NotReported(Event, level="warning"):
    """The sender could not be notified that a message failed or is delayed."""

    queue_id: str
    reason: str


class ReportsNotMerged(Event, level="warning"):
    """Reports of failures could not be merged into one; each is sent separately."""

    queue_id: str
    reason: str


class ReportBroke(Event, level="error"):
    """A bug, while a report to the sender was composed."""

    queue_id: str
    reason: str


class Bounced(Event, level="warning"):
    """Exchange accepted a message and later reported that it could not be delivered."""

    queue_id: str
    recipient: str
    status: str
    reason: str
    mailbox: str
    remedy: str | None = None


class BounceNotUnderstood(Event, level="warning"):
    """A report in the mailbox has a form that the relay cannot read."""

    mailbox: str
    report: str


class BounceNotRead(Event, level="warning"):
    """A report in the mailbox could not be fetched."""

    mailbox: str
    report: str
    reason: str


class BouncesNotFiltered(Event, level="info"):
    """Exchange refused to filter a mailbox by message class, so all mail in its Inbox is listed."""

    mailbox: str
    code: str


class BouncesNotRead(Event, level="warning"):
    """The relay could not look for reports, in this mailbox or in any."""

    account: str | None = None
    mailbox: str | None = None
    reason: str = ""
    remedy: str | None = None


class BouncesBroke(Event, level="error"):
    """A bug, while reports were read."""

    mailbox: str | None = None
    reason: str = ""


# --- Lanes and the queue -------------------------------------------------------------------------


class Paused(Event, level="error"):
    """A lane is paused; its mail stays in the queue."""

    lane: Lane
    outcome: model.Paused
    until: datetime | None

    def fields(self) -> Mapping[str, Value]:
        return {
            "account": self.lane.account,
            "mailbox": self.lane.mailbox,
            "trouble": self.outcome.trouble.value,
            "status": self.outcome.status,
            "reason": self.outcome.reason,
            "remedy": self.outcome.remedy or None,
            "until": plain(self.until),
            "http": self.outcome.answer.http_status,
            "code": self.outcome.answer.code or None,
        }


class Resumed(Event):
    """A lane is no longer paused."""

    lane: Lane
    reason: str

    def fields(self) -> Mapping[str, Value]:
        return {
            "account": self.lane.account,
            "mailbox": self.lane.mailbox,
            "reason": self.reason,
        }


class BudgetUsedUp(Event, level="warning"):
    """A lane has reached a limit of Exchange or of the configuration, and waits until it may send
    again."""

    account: str
    mailbox: str
    reason: str
    until: datetime


class RequestLimitLearned(Event, level="warning"):
    """Graph refused a MIME request above its documented limit; for a day, the lane sends at most
    `most` octets as MIME, and uses another method for what is larger."""

    lane: Lane
    refused: int
    most: int

    def fields(self) -> Mapping[str, Value]:
        return {
            "account": self.lane.account,
            "mailbox": self.lane.mailbox,
            "refused": self.refused,
            "most": self.most,
        }


class RequestLimitNotKept(Event, level="warning"):
    """The learned limits for the size of requests could not be written or read: the lanes learn
    them again."""

    reason: str


class MimeDraftGivenUp(Event, level="warning"):
    """A large message could not go as a draft in MIME to which its files are added. It goes as
    JSON, in the same attempt; `reason` says what Exchange made of the draft."""

    queue_id: str
    reason: str


class AttemptBroke(Event, level="error"):
    """A bug, in an attempt."""

    submission: int
    reason: str
    next: str | None = None


class DraftsBroke(Event, level="error"):
    """A bug, while drafts were swept."""

    reason: str


class OutcomeNotRecorded(Event, level="error"):
    """The spool could not record the outcome of an attempt; the relay tries again."""

    queue_id: str
    reason: str


class QueueNotRead(Event, level="error"):
    """The queue could not be read from the spool; the relay tries again."""

    reason: str


# --- The spool -----------------------------------------------------------------------------------


class SpoolDamaged(Event, level="error"):
    """The database is damaged."""

    database: Path
    reason: str
    remedy: str | None = None


class SpoolRecovered(Event, level="error"):
    """What could be read of a damaged database was copied into a new one."""

    kept_aside: Path
    waiting: int
    held_without_octets: Sequence[str]
    lost_without_envelope: Sequence[str]


class SpoolMigrated(Event):
    """The database was migrated to this version's schema."""

    from_version: int
    to_version: int


class SpoolShared(Event):
    """The queue is in PostgreSQL. `synchronous_commit` is what each 250 waits for; where the server
    or the URL `asked` for less than "on", the relay sets it in its own sessions."""

    server: str
    synchronous_commit: str
    asked: str
    synchronous_standbys: str


class SpoolAtRisk(Event, level="warning"):
    """A setting of the server with which a power cut loses mail that was accepted."""

    setting: str


class ClockSet(Event, level="warning"):
    """The clock of this machine differs from the database's, by which the relay goes; `ahead` is by
    how much that is ahead of this one. 0: they agree again."""

    ahead: timedelta


class SpoolAway(Event, level="warning"):
    """The database cannot be reached; mail is refused (451) until it is back."""

    reason: str


class SpoolBack(Event):
    """The database can be reached again."""


class RelayGone(Event, level="warning"):
    """Another relay did not renew its lease; its lanes are for the others from now on."""

    host: str
    version: str


class RelayReplaced(Event, level="warning"):
    """This relay stood still for so long that others took it for dead and have its lanes."""

    lanes: int


class SpoolSwept(Event):
    """Files to which no message refers were deleted at startup."""

    files: int
    octets: int


class SpoolHousekeeping(Event, level="warning"):
    """Old history could not be deleted; the relay tries again."""

    reason: str


class SpoolBroke(Event, level="error"):
    """A bug, in the spool's housekeeping."""

    reason: str


class SpoolCancelledCallKept(Event, level="warning"):
    """A call to the spool was cancelled but took effect."""

    reason: str


# --- Accounts ------------------------------------------------------------------------------------


class Authorized(Event):
    """Somebody authorized an account."""

    account: str
    by: str


class AuthorizationWorks(Event):
    """Tokens can be obtained again."""

    account: str


class Revoked(Event):
    """Somebody deleted the authorization of an account."""

    account: str


class Unauthorized(Event, level="warning"):
    """There is no authorization for an account."""

    account: str
    reason: str
    remedy: str = ""


class AuthorizationRefused(Event, level="error"):
    """Entra refuses a token, and an administrator has to act."""

    account: str
    error: str
    suberror: str | None
    kind: str
    reason: str
    remedy: str


class AuthorizationUnreachable(Event, level="warning"):
    """Entra could not be reached for a token; the relay tries again."""

    account: str
    reason: str


class AuthorizationBroke(Event, level="error"):
    """A bug, while an authorization was renewed."""

    account: str
    reason: str


class VaultProblem(Event, level="error"):
    """The vault that keeps an authorization cannot be used."""

    account: str
    reason: str
    remedy: str = ""


class CredentialEnds(Event, level="warning"):
    """The credential of an account expires soon, or has expired. Reported daily."""

    account: str
    reason: str
    remedy: str = ""


class TooBroad(Event, level="warning"):
    """An account has more permissions than its scenario needs."""

    account: str
    roles: Sequence[str]
    remedy: str


# --- SMTP and the drop folder --------------------------------------------------------------------


class Listening(Event):
    """Clients can connect."""

    address: str
    tls: str
    auth: str


class RefusedDetails(TypedDict, total=False):
    """What is known about the message that a client wanted to submit."""

    sender: str
    recipient: str
    size: int | None
    login: str


class Refused(Event, level="warning"):
    """A client was refused; `stage` is CONNECT, MAIL, RCPT, DATA …"""

    origin: Origin
    stage: str
    reply: str
    before: int | None = None
    """How many identical refusals were not reported since the last one that was."""
    sender: str | None = None
    recipient: str | None = None
    size: int | None = None
    login: str | None = None
    reason: str | None = None
    remedy: str | None = None

    def fields(self) -> Mapping[str, Value]:
        details = dict(vars(self))
        del details["origin"]
        known = {name: value for name, value in details.items() if value is not None}
        return {"client": self.origin.client, "listener": self.origin.listener, **known}


class RefusedAgain(Refused, level="debug"):
    """The same, as it was refused before: not worth a line, and counted all the same."""


class RefusalsNotKept(Event, level="warning"):
    """What was refused could not be recorded in the mail log; it is tried again."""

    reason: str


class SmtpTrouble(Event, level="error"):
    """A client was asked to try again later because of a problem of the relay's own."""

    client: str
    listener: str
    reason: str
    next: str


class ClientNotServed(Event, level="error"):
    """A client that connected was disconnected, or has to wait, for want of memory or descriptors;
    at most once a minute for each socket."""

    listener: str
    reason: str


class SmtpNotWatched(Event, level="error"):
    """A bug, in the search for slow clients."""

    client: str
    reason: str


class SmtpStoppedHard(Event, level="error"):
    """Connections were closed because they did not end in time."""

    conversations: int


class Transcript(Event):
    """What was said in a connection that failed."""

    client: str
    listener: str
    lines: Sequence[str]


class CertificateReloaded(Event):
    """New connections use the certificate that is now in the file."""

    listener: str


class CertificateNotReloaded(Event, level="error"):
    """The certificate file changed and cannot be used."""

    reason: str
    next: str


class DropTaken(Event):
    """A message from the drop folder was accepted."""

    queue_id: str
    user: str
    file: str
    waited: int
    """Seconds."""


class DropRefused(Event, level="error"):
    """A file in the drop folder is not a message that can be sent; it was moved aside."""

    user: str | None
    reason: str
    file: str
    kept: str


class DropRefusedWaiting(Event, level="warning"):
    """Files that were moved aside are still there for an administrator to look at."""

    files: int
    directory: str


class DropUnfinished(Event):
    """A file in the drop folder was never completed."""

    file: str
    next: str


class DropLeft(Event, level="warning"):
    """A file in the drop folder could not be accepted yet."""

    user: str | None
    reason: str
    file: str
    next: str


class DropTrouble(Event, level="error"):
    """The drop folder could not be read; the relay tries again."""

    reason: str
    next: str


class DropNotRead(Event, level="warning"):
    """There is a drop folder, and the configuration does not name it."""

    directory: Path
    remedy: str


# --- The daemon ----------------------------------------------------------------------------------


class Starting(Event):
    """The first line of a process."""

    version: str
    config: Path


class Stopped(Event):
    """The last line of a process."""


class Reloaded(Event):
    """The configuration was reloaded and is in effect."""

    config: Path


class ReloadRefused(Event, level="error"):
    """The new configuration cannot be used; the old one stays in effect."""

    config: Path
    reason: str


class ReloadBroke(Event, level="error"):
    """A bug, during a reload."""

    config: Path
    reason: str


class ConfigWarning(Event, level="warning"):
    """The configuration is in effect, but something in it is most likely a mistake."""

    config: Path
    reason: str


class RestartNeeded(Event, level="warning"):
    """Some tables of the configuration changed that take effect only after a restart."""

    config: Path
    changed: Sequence[str]


class ControlFailed(Event, level="error"):
    """A bug, while a request on the control socket was carried out."""

    reason: str


# --- The console ----------------------------------------------------------------------------------


class ConsoleListening(Event):
    """Browsers can connect."""

    address: str
    tls: str


class ConsoleNotListening(Event, level="error"):
    """The console cannot be reached; mail is not affected."""

    address: str
    reason: str
    next: str


class MetricsListening(Event):
    """Monitoring can connect to an address of its own."""

    address: str
    tls: str


class MetricsNotListening(Event, level="error"):
    """Metrics and health cannot be asked for; mail is not affected."""

    address: str
    reason: str
    next: str


class SignedIn(Event):
    """A person opened a session of the console."""

    who: str
    role: str
    how: str
    client: str


class SignInRefused(Event, level="warning"):
    """`who` is a configured user, or empty: what else was typed may be a password."""

    client: str
    who: str
    reason: str


class SignedOut(Event):
    """A session of the console has ended."""

    who: str
    reason: str


class Acted(Event):
    """A person changed something in the console."""

    who: str
    client: str
    what: str
    on: str


class RequestRefused(Event, level="warning"):
    """A request to the console that no page of the console makes."""

    client: str
    path: str
    reason: str


class ConsoleBroke(Event, level="error"):
    """A mistake of ours while a page was made."""

    path: str
    reason: str


class Alert(Event, level="warning"):
    """An alert is being sent."""

    state: str
    kind: str
    text: str


class AlertSent(Event):
    """One channel delivered an alert."""

    channel: str
    kind: str


class AlertNotSent(Event, level="error"):
    """One channel could not deliver an alert; it does not try again."""

    channel: str
    kind: str
    reason: str


class AlertsBroke(Event, level="error"):
    """A bug, in the alerts."""

    reason: str


class JournalLost(Event, level="error"):
    """Entries could not be written, the last of them for `reason`."""

    lines: int
    reason: str
