"""The verb `outside`: proof that a scoped-users application cannot use a mailbox outside its scope.

It asks Graph to send a message that names no recipient. Whatever Exchange thinks of it, nobody can
receive it: who may not use the mailbox is refused with 403 before or after Exchange notices, and
who may is told that there are no recipients (400 ErrorInvalidRecipients).

Which of the two Exchange looks at first is nowhere written. So a mailbox inside is asked the same:
only a difference between the two answers proves anything.

    outside  inside    it means
    denied   reached   the scope holds
    denied   denied    nothing is allowed (yet): Exchange takes up to two hours
    reached  any       outside is open, or Exchange does not look there first: nothing is proven
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any
from uuid import uuid4

from graphrelay.control.socket.messages import Asker, Event, Verb, VerbError
from graphrelay.graph.client import Call, GraphClient, mailbox_path
from graphrelay.graph.http.answer import HttpAnswer, read_error
from graphrelay.graph.http.exchange import Exchanged
from graphrelay.model import Lane, in_small_letters
from graphrelay.oauth.answers import Granted
from graphrelay.oauth.scenario import Account, ScopedUsers, scenario_name
from graphrelay.oauth.tokens.manager import TokenManager

WITHOUT_RECIPIENTS = (
    b"Subject: graphrelay asks whether it may\r\n"
    b"MIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=us-ascii\r\n"
    b"\r\n"
    b"This message names no recipient, so that nobody receives it.\r\n"
)


class Reach(Enum):
    """How far a request came."""

    DENIED = "denied"
    """The application may not use the mailbox."""
    REACHED = "reached"
    """The application may use it; the message without recipients was the trouble."""
    NOBODY = "no such mailbox"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of asking for one mailbox."""

    mailbox: str
    reach: Reach
    said: str
    """HTTP status and code, or why there was no answer."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What follows from the answers."""

    holds: bool
    result: str
    reason: str
    remedy: str = ""


class _Octets:
    """`WITHOUT_RECIPIENTS` as the client takes it."""

    size = len(WITHOUT_RECIPIENTS)

    async def chunks(self) -> AsyncIterator[bytes]:
        yield WITHOUT_RECIPIENTS


class ScopeVerbs:
    """Over the process's one TokenManager and GraphClient."""

    def __init__(self, tokens: TokenManager, graph: GraphClient) -> None:
        self._tokens = tokens
        self._graph = graph

    def table(self) -> dict[str, Verb]:
        return {"outside": self._outside}

    async def _outside(self, arguments: Mapping[str, Any], _: Asker) -> AsyncIterator[Event]:
        account = self._account(arguments.get("account"))
        mailbox = _outsider(account, str(arguments["mailbox"]))
        token = await self._tokens.token(account.name)
        if not isinstance(token, Granted):
            reason = getattr(token, "reason", "") or getattr(token, "description", "")
            raise VerbError(f"there is no token to ask with: {reason}")
        outside = await self._ask(account, mailbox, token)
        inside = None
        if account.default_mailbox is not None:
            inside = await self._ask(account, account.default_mailbox, token)
        yield _event(account, outside, inside)

    def _account(self, name: object) -> Account:
        """The one that is named, else the only one that has a scope."""
        scoped = [one for one in self._tokens.accounts if isinstance(one.scenario, ScopedUsers)]
        named = [one for one in self._tokens.accounts if one.name == name] if name else scoped
        match named:
            case [Account(scenario=ScopedUsers()) as account]:
                return account
            case [account]:
                raise VerbError(
                    f"account {account.name} has scenario {scenario_name(account.scenario)!r}; "
                    'only "scoped-users" has a scope that something could be outside of'
                )
            case []:
                known = ", ".join(one.name for one in scoped) or "none"
                raise VerbError(f"no such account with scenario 'scoped-users'; there is {known}")
        raise VerbError(f"which account? There is {', '.join(one.name for one in scoped)}")

    async def _ask(self, account: Account, mailbox: str, token: Granted) -> Answered:
        lane = Lane(account.name, in_small_letters(mailbox))
        path = f"{mailbox_path(mailbox)}/sendMail"
        call = Call("POST", path, token.access_token, str(uuid4()))
        result = await self._graph.for_lane(lane).call_with_mime(call, _Octets())
        if not account.may_use(mailbox):
            self._graph.close_lane(lane)  # Nobody else will ever use it.
        return reach_of(mailbox, result)


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


def reach_of(mailbox: str, result: Exchanged) -> Answered:
    """By HTTP status and code."""
    if not isinstance(result, HttpAnswer):
        return Answered(mailbox, Reach.UNCLEAR, result.reason)
    code = read_error(result.body).code
    said = f"HTTP {result.status} {code}".strip()
    match result.status, code:
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
    return Answered(mailbox, reach, said)


def proof(account: Account, outside: Answered, inside: Answered | None) -> Proof:
    """Judge. Nothing is asked here."""
    match outside.reach, inside.reach if inside else None:
        case Reach.DENIED, Reach.REACHED | None:
            compared = f", and {inside.mailbox} is not" if inside else ""
            return Proof(True, "refused", f"{outside.mailbox} is refused{compared}.")
        case Reach.DENIED, Reach.DENIED:
            return Proof(
                False,
                "all refused",
                f"{outside.mailbox} is refused, but so is {account.default_mailbox}, which should "
                "be inside: the application may use no mailbox (yet).",
                "Exchange takes 30 minutes to 2 hours to act on a scope. If it stays so, compare "
                f"with: graphrelay setup-scope {account.name}",
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
                f"{outside.mailbox} was not refused: the application may use it, or Exchange looks "
                "for recipients first. Nobody received anything.",
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


def _event(account: Account, outside: Answered, inside: Answered | None) -> Event:
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
