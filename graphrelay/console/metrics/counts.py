"""What happened since the relay started, counted as it is written to the journal.

It does nothing but add, since the journal is written while mail is accepted and sent. Everything is
evaluated on request.
"""

import re
from collections import Counter
from typing import Final

from graphrelay.durations import Durations
from graphrelay.journal import Entry, events
from graphrelay.model import Answer, Submission

STAGES: Final = frozenset({"CONNECT", "EHLO", "HELO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA"})
MOST_CODES: Final = 50
"""Different error codes of Graph; the table of outcomes knows fewer."""
OTHER: Final = "other"
NONE: Final = "none"
_REPLY: Final = re.compile(r"([0-9]{3})[ -]?(?:([245]\.[0-9]{1,3}\.[0-9]{1,3})(?![0-9.]))?")
"""RFC 3463: the relay's own replies, of which there are a few dozen."""
SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86_400)
"""Upper bounds of the histograms: a request takes a second, mail that was delayed may take days."""


class Counts:
    """A sink of the journal."""

    def __init__(self) -> None:
        self.accepted: Counter[str] = Counter()
        """By listener."""
        self.octets = 0
        """Of what was accepted."""
        self.relayed: Counter[str] = Counter()
        """By account; a message in several parts counts once for each."""
        self.relayed_octets: Counter[str] = Counter()
        self.refused: Counter[tuple[str, str, str]] = Counter()
        """By stage, reply code and enhanced status code, which says why."""
        self.attempts: Counter[tuple[str, str, str, str]] = Counter()
        """By account, outcome, HTTP status and error code."""
        self.submitting = Durations(SECONDS)
        """From the beginning of an attempt to the 202."""
        self.under_way = Durations(SECONDS)
        """From the 250 to the 202."""
        self._codes: set[str] = set()

    def hear(self, entry: Entry) -> None:
        """Count an event."""
        match entry.what:
            case events.Accepted() as accepted:
                self.accepted[accepted.origin.listener] += 1
                self.octets += accepted.size
            case events.Relayed() as relayed:
                self._attempt(relayed.submission, "relayed", relayed.outcome.answer)
                account = relayed.submission.plan.lane.account
                self.relayed[account] += 1
                self.relayed_octets[account] += relayed.submission.size
                self.submitting.add(relayed.took.total_seconds())
                waited = entry.at - relayed.submission.received_at
                self.under_way.add(waited.total_seconds())
            case events.Delayed() as delayed:
                self._attempt(delayed.submission, "delayed", delayed.outcome.answer)
            case events.Failed() as failed:
                self._attempt(failed.submission, "failed", failed.outcome.answer)
            case events.Uncertain() as uncertain:
                self._attempt(uncertain.submission, "uncertain", uncertain.outcome.answer)
            case events.Paused() as paused:
                self._count(paused.lane.account, "paused", paused.outcome.answer)
            case events.Refused() as refused:
                stage = refused.stage if refused.stage in STAGES else OTHER
                reply = _REPLY.match(refused.reply)
                code, status = (reply[1], reply[2] or NONE) if reply else (OTHER, NONE)
                self.refused[stage, code, status] += 1

    def _attempt(self, submission: Submission, outcome: str, answer: Answer) -> None:
        self._count(submission.plan.lane.account, outcome, answer)

    def _count(self, account: str, outcome: str, answer: Answer) -> None:
        status = str(answer.http_status) if answer.http_status else NONE
        self.attempts[account, outcome, status, self._bounded(answer.code)] += 1

    def _bounded(self, code: str) -> str:
        """The first so many different codes by name."""
        if code and code not in self._codes:
            if len(self._codes) >= MOST_CODES:
                return OTHER
            self._codes.add(code)
        return code or NONE
