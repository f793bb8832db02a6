"""One run: the plan, the checks one after the other, cleaning up, and the result.

    Visit.plan ─▶ Visit.run ─▶ (check, finding) … ─▶ Visit.clean

A check that fails by a bug is reported as not known, and the others still run.
"""

import secrets
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace

from graphrelay.doctor.check import Check, Must, Whom
from graphrelay.doctor.checks import CHECKS
from graphrelay.doctor.examination import CannotTell, Examination, Reachable, Wish
from graphrelay.doctor.finding import AsAssumed, Different, Finding, LeftOut, NotKnown
from graphrelay.doctor.record import Record
from graphrelay.doctor.redaction import Redactor
from graphrelay.model import Address
from graphrelay.oauth.cloud import permission_of
from graphrelay.oauth.scenario import Account, ScopedUsers
from graphrelay.oauth.tokens.status import Authorized, Evidence, Lacking, Status, TooBroad

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Planned:
    """A check, and why it is left out; empty if it runs."""

    check: Check
    left_out: str = ""


class Visit:
    """Of the doctor to one account. Close it with `aclose`."""

    def __init__(self, examination: Examination) -> None:
        self.examination = examination
        self.planned = _plan(examination)

    @classmethod
    async def begin(cls, account: Account, wish: Wish, reach: Reachable) -> "Visit":
        """Asks Entra for a new token, and for nothing else. Raises `CannotTell`."""
        mailbox = account.default_mailbox
        if mailbox is None:
            raise CannotTell("the account has no mailbox of its own: name one in mailboxes")
        run = secrets.token_hex(4)
        record = Record(Redactor(), reach.clock, "token")
        status = await reach.tokens.status(account.name)
        if not wish.tenant:
            record.redactor.hide(_tenant(account, status.evidence))
        examination = Examination(account, mailbox, status, wish, reach, record, run)
        return cls(examination)

    async def aclose(self) -> None:
        await self.examination.aclose()

    @property
    def letters(self) -> dict[str, Whom]:
        """What will be sent, each once: the key of a letter and who gets it."""
        running = (one.check for one in self.planned if not one.left_out)
        return dict(letter for check in running for letter in check.sends)

    async def run(self) -> AsyncGenerator[tuple[Check, Finding | None], None]:
        """Each check twice: when it begins, without a finding, and with what it found."""
        for planned in self.planned:
            if planned.left_out:
                yield planned.check, LeftOut(planned.left_out)
                continue
            yield planned.check, None
            yield planned.check, await self._found(planned.check)

    async def _found(self, check: Check) -> Finding:
        record = self.examination.record
        record.checking = check.name
        try:
            found = await check.run(self.examination)
        except CannotTell as problem:
            found = NotKnown(str(problem))
        except Exception as error:  # the other checks are still useful
            found = NotKnown(f"the check broke: {type(error).__name__}: {error}")
        return replace(found, seen=record.redactor.text(found.seen))

    async def clean(self) -> str:
        """Delete what can be deleted; what was done, in words."""
        examination = self.examination
        examination.record.checking = "cleaning up"
        letters = len(examination.letters)
        if not _may(examination, Must.WRITE):
            kept = f"{letters} messages stay in the mailbox (the account has no Mail.ReadWrite)"
            return f"{kept}; their subjects begin with: graphrelay doctor {examination.run}"
        try:
            gone, left = await examination.clean()
        except CannotTell as problem:
            return f"nothing could be deleted: {problem}"
        return f"{gone} messages were deleted" + (f", {left} could not be" if left else "")


def _plan(examination: Examination) -> list[Planned]:
    wish = examination.wish
    planned = []
    for check in CHECKS:
        if check.name in wish.skip:
            planned.append(Planned(check, "as you wish (--skip)"))
        elif not _has_token(examination.status) and check.name not in _NEED_NO_TOKEN:
            planned.append(Planned(check, f"the account is {examination.status.word}"))
        elif not _may(examination, check.must):
            planned.append(Planned(check, f"the account has no {check.must.value}"))
        elif check.name == "revoked" and not wish.revoke:
            planned.append(Planned(check, "only with --revoke"))
        else:
            planned.append(Planned(check))
    return planned


_NEED_NO_TOKEN = frozenset({"dns", "tls", "hosts", "clock", "redirect", "token"})


def _has_token(status: Status) -> bool:
    """Also true of one that lacks a permission, or has too many."""
    return isinstance(status.verdict, Authorized | Lacking | TooBroad)


def _may(examination: Examination, must: Must) -> bool:
    """From what Entra granted; a scope in Exchange is not in any token, so for it the configuration
    says what should be allowed."""
    account, evidence = examination.account, examination.status.evidence
    if must is Must.SEND:
        return True
    if isinstance(account.scenario, ScopedUsers):
        writes, reads = account.options.may_look, account.options.bounces
    else:
        granted = {permission_of(one).lower() for one in (evidence.granted if evidence else ())}
        shared = (
            ""
            if account.is_own_mailbox(examination.mailbox) or not account.username
            else (".shared")
        )
        writes, reads = f"mail.readwrite{shared}" in granted, f"mail.read{shared}" in granted
    return writes or (reads and must is Must.READ)


def _tenant(account: Account, evidence: Evidence | None) -> dict[str, str]:
    """What identifies the tenant."""
    names = {account.tenant: "(tenant)", account.client_id: "(client id)"}
    domains = {Address.parse(one).domain for one in (account.own_address or "", *account.mailboxes)}
    names |= dict.fromkeys(domains, "(domain)")
    return names | ({evidence.tenant: "(tenant)"} if evidence else {})


def conclusion(findings: dict[str, Finding]) -> str:
    """One sentence."""
    different = [name for name, one in findings.items() if isinstance(one, Different)]
    unknown = sum(isinstance(one, NotKnown) for one in findings.values())
    fine = sum(isinstance(one, AsAssumed) for one in findings.values())
    left_out = sum(isinstance(one, LeftOut) for one in findings.values())
    counts = f"{fine} as assumed, {len(different)} different, {unknown} not known"
    return f"{counts}, {left_out} left out"
