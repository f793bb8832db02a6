"""The verb `doctor`: says what it will do, asks, and reports each check as it goes.

    plan ─▶ ask "go" ─▶ began, found … ─▶ cleaned ─▶ record … ─▶ end

A person who disconnects ends it; then it only cleans up.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from datetime import timedelta
from typing import Any

from graphrelay import __version__
from graphrelay.clock import timeout
from graphrelay.control.verb import Asker, Output, Verb, VerbError
from graphrelay.doctor.check import Check, Whom
from graphrelay.doctor.checks import CHECKS
from graphrelay.doctor.examination import CannotTell, Reachable, Wish
from graphrelay.doctor.finding import VERDICTS, Different, Finding
from graphrelay.doctor.visit import FORMAT, Visit, conclusion
from graphrelay.graph.session import mailbox_path
from graphrelay.model import Address
from graphrelay.oauth import initial_domain
from graphrelay.oauth.scenario import Account, scenario_name

GO = "go"
"""The question that must be answered "yes" before anything is sent."""
LAST = timedelta(seconds=60)
"""For cleaning up."""


class DoctorVerbs:
    """Over the process's one TokenManager, with connections of its own."""

    def __init__(self, reach: Reachable) -> None:
        self._reach = reach

    def table(self) -> dict[str, Verb]:
        return {"doctor": self._doctor}

    async def _doctor(self, arguments: Mapping[str, Any], ask: Asker) -> AsyncIterator[Output]:
        account, wish = self._account(str(arguments.get("account"))), _wish(arguments)
        try:
            visit = await Visit.begin(account, wish, self._reach)
        except CannotTell as problem:
            raise VerbError(str(problem)) from problem
        try:
            yield _plan(visit)
            if (await ask(GO)).lower() != "yes":
                yield {"kind": "declined"}
                return
            visit.examination.put_question = ask
            async with aclosing(self._examined(visit)) as events:
                async for event in events:
                    yield event
        finally:
            await visit.aclose()

    async def _examined(self, visit: Visit) -> AsyncGenerator[Output, None]:
        findings: dict[str, Finding] = {}
        cleaned = ""
        try:
            async with aclosing(visit.run()) as running:
                async for check, finding in running:
                    if finding is None:
                        yield {"kind": "began", "check": check.name, "does": check.does}
                        continue
                    findings[check.name] = finding
                    yield _found(check, finding)
        finally:
            async with timeout(self._reach.clock, LAST):
                cleaned = await visit.clean()
        yield {"kind": "cleaned", "result": cleaned}
        record = visit.examination.record
        for entry in record.entries:
            yield {"kind": "record", "entry": entry}
        yield {"kind": "end", **_head(visit, findings), "conclusion": conclusion(findings)}

    def _account(self, name: str) -> Account:
        for account in self._reach.tokens.accounts:
            if account.name == name:
                return account
        known = ", ".join(account.name for account in self._reach.tokens.accounts)
        raise VerbError(f"there is no account {name!r}, only {known}")


def _wish(arguments: Mapping[str, Any]) -> Wish:
    """Raises `VerbError`."""
    given = arguments.get("skip")
    skip = frozenset(map(str, given)) if isinstance(given, list) else frozenset()
    if unknown := skip - {check.name for check in CHECKS}:
        known = ", ".join(check.name for check in CHECKS)
        raise VerbError(f"there is no check {', '.join(sorted(unknown))}, only {known}")
    to, outside = str(arguments.get("to") or ""), str(arguments.get("outside") or "")
    address = Address.parse(to)
    if not (address.local and address.domain and to.isascii() and to.isprintable()) or " " in to:
        raise VerbError(f"{to!r} is not an address that this can send to")
    if outside:
        try:
            mailbox_path(outside)
        except ValueError as problem:
            raise VerbError(str(problem)) from problem
    return Wish(
        to=to,
        skip=skip,
        outside=outside,
        revoke=arguments.get("revoke") is True,
        tenant=arguments.get("tenant") is True,
    )


def _plan(visit: Visit) -> Output:
    """What it will do and send, for the user to agree to."""
    examination, letters = visit.examination, visit.letters
    both = list(letters.values())
    return {
        "kind": "plan",
        "account": examination.account.name,
        "mailbox": examination.mailbox,
        "to": examination.wish.to,
        "run": examination.run,
        "status": examination.status.word,
        "checks": [
            {"check": one.check.name, "does": one.check.does, "left_out": one.left_out}
            for one in visit.planned
        ],
        "letters": {
            "own": sum(whom in (Whom.OWN, Whom.BOTH) for whom in both),
            "to": both.count(Whom.BOTH) + both.count(Whom.ADDRESS),
            "nobody": both.count(Whom.NOBODY),
        },
        "nobody": examination.nobody,
        "warning": initial_domain.warning(examination.account) or "",
    }


def _found(check: Check, finding: Finding) -> Output:
    assumption = check.assumption
    return {
        "kind": "found",
        "check": check.name,
        "assumed": assumption.assumed,
        "seen": finding.seen,
        "verdict": VERDICTS[type(finding)],
        "changes": assumption.otherwise if isinstance(finding, Different) else "",
    }


def _head(visit: Visit, findings: Mapping[str, Finding]) -> Output:
    """What the file says besides findings and records."""
    examination = visit.examination
    return {
        "format": FORMAT,
        "graphrelay": __version__,
        "run": examination.run,
        "at": examination.started_at.isoformat(timespec="seconds"),
        "scenario": scenario_name(examination.account.scenario),
        "left_out": sorted(
            name for name, one in findings.items() if VERDICTS[type(one)] == "left out"
        ),
        "well": not any(
            VERDICTS[type(one)] in ("different", "not known") for one in findings.values()
        ),
    }
