"""The verb `outside`: proof that a scoped-users application cannot use a mailbox outside its scope.

It asks Graph to send a message without recipients, which nobody can receive. An application that
may not use the mailbox is answered 403; one that may is answered that there are no recipients (400
ErrorInvalidRecipients).

Which of the two Exchange checks first is not documented. So the same request goes to a mailbox
inside the scope: only a difference between the two answers proves anything.

    outside  inside    it means
    denied   reached   the scope holds
    denied   denied    nothing is allowed (yet): Exchange takes up to two hours
    reached  any       outside is open, or Exchange checks recipients first: nothing is proven
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from graphrelay.assumptions import SAID
from graphrelay.control.verb import Asker, Output, Verb, VerbError
from graphrelay.graph.client import GraphClient
from graphrelay.graph.http.answer import read_error
from graphrelay.graph.session import GraphReply, Mime, mailbox_path
from graphrelay.model import Delayed, Lane, OctetsInMemory, Paused, Relayed, in_small_letters
from graphrelay.oauth.scenario import Account, ScopedUsers, scenario_name
from graphrelay.oauth.tokens.manager import TokenManager

WITHOUT_RECIPIENTS = (
    b"Subject: graphrelay tests its scope\r\n"
    b"MIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=us-ascii\r\n"
    b"\r\n"
    b"This message has no recipient, so that nobody receives it.\r\n"
)


class Reach(Enum):
    """How far a request got."""

    DENIED = "denied"
    """The application may not use the mailbox."""
    REACHED = "reached"
    """The application may use it; the missing recipients were the problem."""
    NOBODY = "no such mailbox"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class ProbeAnswer:
    """The answer for one mailbox."""

    mailbox: str
    reach: Reach
    said: str
    """HTTP status and code, or why there was no answer."""


@dataclass(frozen=True, slots=True)
class Proof:
    """The conclusion from the answers."""

    holds: bool
    result: str
    reason: str
    remedy: str = ""


class ScopeVerbs:
    """Over the process's one TokenManager and GraphClient."""

    def __init__(self, tokens: TokenManager, graph: GraphClient) -> None:
        self._tokens = tokens
        self._graph = graph

    def table(self) -> dict[str, Verb]:
        return {"outside": self._outside}

    async def _outside(self, arguments: Mapping[str, Any], _: Asker) -> AsyncIterator[Output]:
        account = self._account(arguments.get("account"))
        mailbox = _outsider(account, str(arguments["mailbox"]))
        outside = await self._ask(account, mailbox)
        inside = None
        if account.default_mailbox is not None:
            inside = await self._ask(account, account.default_mailbox)
        yield _event(account, outside, inside)

    def _account(self, name: object) -> Account:
        """The one named, else the only one with a scope."""
        scoped = [one for one in self._tokens.accounts if isinstance(one.scenario, ScopedUsers)]
        named = [one for one in self._tokens.accounts if one.name == name] if name else scoped
        match named:
            case [Account(scenario=ScopedUsers()) as account]:
                return account
            case [account]:
                raise VerbError(
                    f"account {account.name} has scenario {scenario_name(account.scenario)!r}; "
                    'only "scoped-users" has a scope'
                )
            case []:
                known = ", ".join(one.name for one in scoped) or "none"
                raise VerbError(f"no such account with scenario 'scoped-users', only {known}")
        raise VerbError(f"which account? There is {', '.join(one.name for one in scoped)}")

    async def _ask(self, account: Account, mailbox: str) -> ProbeAnswer:
        lane = Lane(account.name, in_small_letters(mailbox))
        session = await self._graph.session(lane)
        if isinstance(session, Paused | Delayed):
            raise VerbError(f"there is no token to ask with: {session.reason}")
        reply = await session.request(
            "POST", f"{session.mailbox}/sendMail", Mime(OctetsInMemory(WITHOUT_RECIPIENTS))
        )
        if not account.may_use(mailbox):
            self._graph.close_lane(lane)  # Nobody else will ever use it.
        return reach_of(mailbox, reply)


def _outsider(account: Account, mailbox: str) -> str:
    if account.may_use(mailbox):
        raise VerbError(
            f"account {account.name} may use {mailbox} by its configuration; name a mailbox that "
            "is outside its scope"
        )
    try:
        mailbox_path(mailbox)
    except ValueError as problem:
        raise VerbError(str(problem)) from problem
    return mailbox


def reach_of(mailbox: str, reply: GraphReply) -> ProbeAnswer:
    """By HTTP status and code."""
    if reply.answer is None and not isinstance(reply.outcome, Relayed):
        return ProbeAnswer(mailbox, Reach.UNCLEAR, reply.outcome.reason)
    code = read_error(reply.body).code
    said = f"HTTP {reply.status} {code}".strip()
    match reply.status, code:
        case 403, "ErrorAccessDenied" | "Authorization_RequestDenied" | "AccessDenied":
            reach = Reach.DENIED
        case (403, "ErrorSendAsDenied") | (200 | 202, _):
            reach = Reach.REACHED
        case 400, _ if code:
            reach = Reach.REACHED
        case 404, _ if code:
            reach = Reach.NOBODY
        case _:
            reach = Reach.UNCLEAR
    return ProbeAnswer(mailbox, reach, said)


def proof(account: Account, outside: ProbeAnswer, inside: ProbeAnswer | None) -> Proof:
    """The conclusion, without I/O."""
    match outside.reach, inside.reach if inside else None:
        case Reach.DENIED, Reach.REACHED | None:
            compared = f", and {inside.mailbox} is not" if inside else ""
            return Proof(True, "refused", f"{outside.mailbox} is refused{compared}.")
        case Reach.DENIED, Reach.DENIED:
            return Proof(
                False,
                "all refused",
                f"{outside.mailbox} is refused, but so is {account.default_mailbox}, which should "
                "be inside: the application may use no mailbox yet.",
                f"{_capital(SAID['scope-delay'].assumed)}. If it stays so, compare the "
                f"scope with: graphrelay setup-scope {account.name}",
            )
        case Reach.DENIED, _:
            assert inside is not None  # noqa: S101 (a case above)
            return Proof(
                False,
                "not compared",
                f"{outside.mailbox} is refused, but {inside.mailbox}, which should be inside, gave "
                f"no clear answer ({inside.said}).",
                "Name a mailbox that exists first in mailboxes, or try again.",
            )
        case Reach.REACHED, _:
            return Proof(
                False,
                "not refused",
                f"{outside.mailbox} was not refused: the application may use it, or Exchange "
                "checks the recipients first. Nobody received anything.",
                f"Run in Exchange Online PowerShell: Test-ServicePrincipalAuthorization -Identity "
                f"{account.client_id or '<object id>'} -Resource {outside.mailbox}. InScope must "
                "be False, and Mail.Send must not be granted in Entra.",
            )
        case Reach.NOBODY, _:
            return Proof(
                False,
                "no such mailbox",
                f"There is no mailbox {outside.mailbox} ({outside.said}).",
                "Name a mailbox that exists and is outside the scope.",
            )
    return Proof(False, "unclear", f"No clear answer came: {outside.said}.", "Try again.")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _event(account: Account, outside: ProbeAnswer, inside: ProbeAnswer | None) -> Output:
    found = proof(account, outside, inside)
    return {
        "kind": "outside",
        "account": account.name,
        "mailbox": outside.mailbox,
        "result": found.result,
        "well": found.holds,
        "reason": found.reason,
        "remedy": found.remedy,
        "said": outside.said,
        "inside": inside.mailbox if inside else None,
        "said_inside": inside.said if inside else None,
    }
