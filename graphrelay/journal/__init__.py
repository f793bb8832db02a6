"""The journal: one line for each thing that happens to mail, one method for each event.

Readable text for people, JSON for machines; the same fields in both. It is what an admin reads in
`journalctl`; the mail log that `graphrelay log` queries is in the spool and says the same. No
body, no secret and no token is ever passed in here.

    2026-11-23T12:00:00Z accepted 4QX7K2M9 from=<wp@contoso.com> to=<a@example.org> size=2310 …
"""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from graphrelay.clock import Clock
from graphrelay.model import (
    Address,
    Delayed,
    Failed,
    Lane,
    Origin,
    Paused,
    Relayed,
    Submission,
    Uncertain,
)

Value = str | int | float | bool | None | Sequence[str]
Level = Literal["debug", "info", "warning", "error"]
LEVELS: tuple[Level, ...] = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True)
class Entry:
    """One event: when, how grave, what, of which message (may be empty), and its fields."""

    at: datetime
    level: Level
    event: str
    queue_id: str
    fields: dict[str, Value]


Sink = Callable[[Entry], None]


def text_line(entry: Entry) -> str:
    """`time event queue-id key=value …`, values quoted where they would not read as one word."""
    words = [f"{entry.at.isoformat()[:19]}Z", entry.event]
    words += [entry.queue_id] if entry.queue_id else []
    words += [f"{key}={_word(value)}" for key, value in entry.fields.items() if value is not None]
    return " ".join(words)


def json_line(entry: Entry) -> str:
    """One JSON object on one line, with `time`, `level`, `event`, `queue_id` and the fields."""
    head = {"time": entry.at.isoformat(), "level": entry.level, "event": entry.event}
    if entry.queue_id:
        head["queue_id"] = entry.queue_id
    return _quoted({**head, **entry.fields})


def _quoted(value: Value | dict[str, Value]) -> str:
    """As JSON, in which nothing unprintable is left as it is: there are controls, ends of lines and
    changes of direction beyond ASCII that a terminal obeys."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(letter: str) -> str:
    return letter if letter.isprintable() else json.dumps(letter)[1:-1]


def _word(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str | int | float):
        text = str(value)
        plain = text and text.isprintable() and not (" " in text or '"' in text or "=" in text)
        return text if plain else _quoted(text)
    return ",".join(_word(part) for part in value or ())


def stream_sink(
    write: Callable[[str], object] = sys.stderr.write,
    style: Literal["text", "json"] = "text",
    level: Level = "info",
) -> Sink:
    """A sink that writes lines of `style` at `level` and graver."""
    line = json_line if style == "json" else text_line
    wanted = LEVELS[LEVELS.index(level) :]

    def sink(entry: Entry) -> None:
        if entry.level in wanted:
            write(line(entry) + "\n")

    return sink


class Journal:
    """Tells every sink what happened."""

    def __init__(self, clock: Clock, *sinks: Sink) -> None:
        self._clock = clock
        self._sinks = sinks
        self._lost: dict[int, tuple[int, str]] = {}
        """Per sink, how many entries it could not take, and why not the last one."""

    # Mail ------------------------------------------------------------------------------------

    def accepted(
        self,
        queue_id: str,
        reverse_path: Address | None,
        recipients: Sequence[Address],
        origin: Origin,
        *,
        size: int,
        message_id: str,
    ) -> None:
        """The message is on disk and the client is about to hear 250."""
        self._tell(
            "info",
            "accepted",
            queue_id,
            sender=_path(reverse_path),
            recipients=[_path(path) for path in recipients],
            size=size,
            client=origin.client,
            listener=origin.listener,
            login=origin.login,
            tls=origin.tls,
            message_id=message_id,
        )

    def attempt(self, submission: Submission, number: int) -> None:
        """A request to Graph is about to go out."""
        self._tell(
            "info",
            "attempt",
            submission.queue_id,
            number=number,
            account=submission.plan.lane.account,
            mailbox=submission.plan.lane.mailbox,
            route=submission.plan.route,
        )

    def relayed(self, submission: Submission, outcome: Relayed, took: timedelta) -> None:
        """Graph took the message."""
        self._tell(
            "info",
            "relayed",
            submission.queue_id,
            mailbox=submission.plan.lane.mailbox,
            recipients=[_path(path) for path in submission.envelope.forward_paths],
            redirected_to=submission.plan.redirect_to,
            http=outcome.answer.http_status,
            request_id=outcome.answer.request_id,
            seconds=round(took.total_seconds(), 3),
            lost=outcome.lost or None,
        )

    def delayed(self, submission: Submission, outcome: Delayed, until: datetime) -> None:
        """Nothing was sent; tried again at `until`."""
        self._tell(
            "warning",
            "delayed",
            submission.queue_id,
            status=outcome.status,
            reason=outcome.reason,
            until=until.isoformat(timespec="seconds"),
            http=outcome.answer.http_status,
            code=outcome.answer.code or None,
            request_id=outcome.answer.request_id or None,
        )

    def failed(self, submission: Submission, outcome: Failed) -> None:
        """Nothing was sent and nothing will be."""
        self._tell(
            "error",
            "failed",
            submission.queue_id,
            status=outcome.status,
            reason=outcome.reason,
            recipients=[_path(path) for path in submission.envelope.forward_paths],
            http=outcome.answer.http_status,
            code=outcome.answer.code or None,
            request_id=outcome.answer.request_id or None,
        )

    def uncertain(self, submission: Submission, outcome: Uncertain, following: str) -> None:
        """It may have been sent; `following` says what the relay does about it."""
        self._tell(
            "warning",
            "uncertain",
            submission.queue_id,
            reason=outcome.reason,
            next=following,
            http=outcome.answer.http_status,
            code=outcome.answer.code or None,
            request_id=outcome.answer.request_id or None,
            client_request_id=outcome.answer.client_request_id or None,
        )

    def settled(self, queue_id: str, found: str) -> None:
        """An uncertain attempt was looked into; `found` says what there was to see."""
        self._tell("info", "settled", queue_id, found=found)

    def draft_swept(self, queue_id: str, found: str) -> None:
        """The draft of a message that was given up lies in Drafts no more."""
        self._tell("info", "draft-swept", queue_id, found=found)

    def held(self, queue_id: str, reason: str) -> None:
        """A message waits for a person."""
        self._tell("warning", "held", queue_id, reason=reason)

    def released(self, queue_id: str, reason: str) -> None:
        """A person let a held message go on."""
        self._tell("info", "released", queue_id, reason=reason or None)

    def retried(self, queue_id: str, reason: str) -> None:
        """A person wants a message tried now."""
        self._tell("info", "retried", queue_id, reason=reason or None)

    def bounced(
        self, queue_id: str, recipient: str, status: str, reason: str, mailbox: str
    ) -> None:
        """Exchange could not deliver what it had taken, and says why."""
        self._tell(
            "warning",
            "bounced",
            queue_id,
            recipient=recipient,
            status=status,
            reason=reason,
            mailbox=mailbox,
        )

    def deleted(self, queue_id: str, reason: str) -> None:
        """A person took a message out of the queue."""
        self._tell("warning", "deleted", queue_id, reason=reason)

    def paused(self, lane: Lane, outcome: Paused, until: datetime | None) -> None:
        """A whole lane waits; its mail stays in the queue."""
        self._tell(
            "error",
            "paused",
            "",
            account=lane.account,
            mailbox=lane.mailbox,
            trouble=outcome.trouble.value,
            status=outcome.status,
            reason=outcome.reason,
            remedy=outcome.remedy or None,
            until=until.isoformat(timespec="seconds") if until else None,
            http=outcome.answer.http_status,
            code=outcome.answer.code or None,
        )

    def resumed(self, lane: Lane, why: str) -> None:
        """A lane's mail flows again."""
        self._tell("info", "resumed", "", account=lane.account, mailbox=lane.mailbox, reason=why)

    # The SMTP face ---------------------------------------------------------------------------

    def refused(self, origin: Origin, stage: str, reply: str, **more: Value) -> None:
        """A client did not get what it asked for; `stage` is CONNECT, MAIL, RCPT, DATA …"""
        self._tell(
            "warning",
            "refused",
            "",
            client=origin.client,
            listener=origin.listener,
            stage=stage,
            reply=reply,
            **more,
        )

    # The daemon ------------------------------------------------------------------------------

    def notice(self, event: str, **fields: Value) -> None:
        """Something an admin may want to know: started, listening, recovered, stopped."""
        self._tell("info", event, "", **fields)

    def warning(self, event: str, **fields: Value) -> None:
        """Something an admin should look at."""
        self._tell("warning", event, "", **fields)

    def error(self, event: str, **fields: Value) -> None:
        """Something that an admin must mend."""
        self._tell("error", event, "", **fields)

    def _tell(self, level: Level, event: str, queue_id: str, **fields: Value) -> None:
        entry = Entry(self._clock.now(), level, event, queue_id, fields)
        for number, sink in enumerate(self._sinks):
            self._hand(number, sink, entry)

    def _hand(self, number: int, sink: Sink, entry: Entry) -> None:
        """A log that cannot be written (a full disk, a pipe that nobody reads, a mistake in a sink)
        is no reason to stop mail, nor to take back what was accepted. How many lines were lost, and
        why, is the first thing that is said when it works again."""
        try:
            if number in self._lost:
                lines, reason = self._lost[number]
                missing: dict[str, Value] = {"lines": lines, "reason": reason}
                sink(Entry(entry.at, "error", "journal-lost", "", missing))
                del self._lost[number]
            sink(entry)
        except Exception as error:
            lines, _ = self._lost.get(number, (0, ""))
            self._lost[number] = lines + 1, repr(error)


def _path(path: Address | None) -> str:
    return f"<{path}>" if path else "<>"
