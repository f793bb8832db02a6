"""The verbs about authorizations: `authorize`, `status`, `revoke`.

`authorize` is a dialog: its outputs say what the user has to do (open an address, enter a code,
paste an address), how much time is left, and at the end what the result is. A person who
disconnects ends it, and nothing is stored.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

from graphrelay.clock import timeout
from graphrelay.control.verb import Asker, Output, Verb, VerbError, said
from graphrelay.control.verbs import json_views
from graphrelay.oauth import initial_domain
from graphrelay.oauth.answers import EntraUnreachable, TokenRefused, VaultProblem
from graphrelay.oauth.consent import for_admins
from graphrelay.oauth.scenario import (
    Account,
    Application,
    SendAsUser,
    permissions,
    risk_of,
    risk_of_any_user,
)
from graphrelay.oauth.sign_in.authorizer import (
    Authorizer,
    Incomplete,
    Pending,
    PendingDevice,
    Rejected,
    SignInResult,
    Stored,
    WrongAccount,
)
from graphrelay.oauth.sign_in.loopback import Page, RedirectReceiver, query_of
from graphrelay.oauth.tokens.manager import AccountChanged, TokenManager

PASTE_REDIRECT = "http://localhost"
"""Where the browser ends, with nothing listening, when its address is pasted by hand."""
PASTED_AGAIN = 4
"""How often an address that is not whole may be pasted once more."""
COUNTDOWN = timedelta(seconds=1)


class AuthorizationVerbs:
    """Over the process's one TokenManager."""

    def __init__(self, tokens: TokenManager) -> None:
        self._tokens = tokens
        self._authorizer = Authorizer(tokens)

    def table(self) -> dict[str, Verb]:
        return {"authorize": self._authorize, "status": self._status, "revoke": self._revoke}

    # status, revoke ------------------------------------------------------------------------------

    async def _status(self, arguments: Mapping[str, Any], _: Asker) -> AsyncIterator[Output]:
        """With `prove` (the default) by asking Entra for a new token."""
        wanted, prove = arguments.get("account"), bool(arguments.get("prove", True))
        accounts = [self._account(str(wanted))] if wanted else self._tokens.accounts
        for account in accounts:
            found = json_views.status(await self._tokens.status(account.name, prove=prove))
            yield {
                "kind": "status",
                **found,
                "mailbox": account.default_mailbox,
                "limit": initial_domain.warning(account),
                "risk": risk_of_any_user(account) or "",
            }

    async def _revoke(self, arguments: Mapping[str, Any], ask: Asker) -> AsyncIterator[Output]:
        """With `confirm` it asks first, and any answer but `y` or `yes` changes nothing."""
        account = self._account(str(arguments["account"]))
        if arguments.get("confirm") and (await ask("confirm")).lower() not in ("y", "yes"):
            yield {"account": account.name, "revoked": False}
            return
        problem = await self._tokens.revoke(account.name)
        if problem is not None:
            raise VerbError(f"{problem.reason} {problem.remedy}")
        yield {"account": account.name, "revoked": True}

    # authorize -----------------------------------------------------------------------------------

    async def _authorize(self, arguments: Mapping[str, Any], ask: Asker) -> AsyncIterator[Output]:
        try:
            async for event in self._authorized(arguments, ask):
                yield event
        except AccountChanged as error:
            raise VerbError(str(error)) from error

    async def _authorized(self, arguments: Mapping[str, Any], ask: Asker) -> AsyncIterator[Output]:
        name = arguments.get("account")
        account = self._account(str(name)) if name else self._only()
        by = said(arguments, "by") or "somebody"
        yield {
            "kind": "asks",
            "account": account.name,
            "permissions": json_views.needed(permissions(account)),
            "admin": _for_an_admin(account),
            "risk": risk_of(account),
        }
        method = str(arguments.get("method") or "browser")
        if isinstance(account.scenario, Application):
            yield _end(account, await self._authorizer.approve(account, by))
            return
        flows = {"browser": self._browser, "device": self._device, "paste": self._paste}
        if method not in flows:
            raise VerbError(f"method must be one of {', '.join(flows)}, not {method!r}")
        async for event in flows[method](account, by, ask):
            yield event

    async def _browser(self, account: Account, by: str, _: Asker) -> AsyncIterator[Output]:
        async with RedirectReceiver() as receiver:
            pending = await self._begun(account, receiver.redirect_uri)
            receiver.expect(pending.state)
            waiting = asyncio.ensure_future(receiver.arrival())
            try:
                yield {"kind": "open", "url": pending.authorization_url}
                async for event in self._until(waiting, pending):
                    yield event
                if not waiting.done():
                    late = Rejected(reason="Nobody signed in in time.", remedy=_again(account))
                    yield _end(account, late)
                    return
                arrival = waiting.result()
            finally:
                waiting.cancel()
            result = await self._authorizer.complete(pending, arrival.query, by)
            arrival.show(_page(account, result))
            yield _end(account, result)

    async def _paste(self, account: Account, by: str, ask: Asker) -> AsyncIterator[Output]:
        pending = await self._begun(account, PASTE_REDIRECT)
        yield {"kind": "open-elsewhere", "url": pending.authorization_url}
        redirected = await ask("redirected")
        for _repeated in range(PASTED_AGAIN):
            if not (missing := _missing(redirected)):
                break
            yield {"kind": "incomplete", "missing": missing}
            redirected = await ask("redirected")
        yield _end(account, await self._authorizer.complete(pending, redirected, by))

    async def _device(self, account: Account, by: str, _: Asker) -> AsyncIterator[Output]:
        pending = await self._authorizer.begin_device(account)
        if not isinstance(pending, PendingDevice):
            yield _end(account, pending)
            return
        yield {"kind": "device", "url": pending.verification_uri, "code": pending.user_code}
        waiting = asyncio.ensure_future(self._authorizer.wait(pending, by))
        try:
            async for event in self._until(waiting, pending):
                yield event
            yield _end(account, await waiting)
        finally:
            waiting.cancel()

    async def _begun(self, account: Account, redirect_uri: str) -> Pending:
        pending = await self._authorizer.begin(account, redirect_uri)
        if not isinstance(pending, Pending):
            raise VerbError(_sentence(account, pending))
        return pending

    async def _until(
        self, waiting: "asyncio.Future[Any]", pending: Pending | PendingDevice
    ) -> AsyncIterator[Output]:
        """Count down until `waiting` is done or the time has run out."""
        clock = self._tokens.clock
        while not waiting.done():
            left = pending.expires_at - clock.now()
            if left <= timedelta(0):
                return
            yield {"kind": "waiting", "seconds": int(left.total_seconds())}
            with contextlib.suppress(TimeoutError):
                async with timeout(clock, min(COUNTDOWN, left)):
                    await asyncio.wait({waiting})

    def _only(self) -> Account:
        """The account that needs no name. Raises `VerbError` where there are several."""
        if len(self._tokens.accounts) == 1:
            return self._tokens.accounts[0]
        raise VerbError(f"which account? There is {self._known()}")

    def _account(self, name: str) -> Account:
        for account in self._tokens.accounts:
            if account.name == name:
                return account
        raise VerbError(f"there is no account {name!r}, only {self._known()}")

    def _known(self) -> str:
        return ", ".join(account.name for account in self._tokens.accounts) or "none at all"


def _for_an_admin(account: Account) -> list[str]:
    """The permissions that an admin must have granted before a user of the tenant signs in."""
    scenario = account.scenario
    return list(for_admins(permissions(account))) if isinstance(scenario, SendAsUser) else []


def _end(account: Account, result: SignInResult) -> Output:
    """The last event: the result."""
    if isinstance(result, Stored):
        return {
            "kind": "authorized",
            "account": account.name,
            "who": result.who,
            "granted": list(result.granted),
        }
    return {"kind": "refused", "account": account.name, "reason": _sentence(account, result)}


def _sentence(account: Account, trouble: object) -> str:
    match trouble:
        case WrongAccount(signed_in=who, expected=expected, remedy=remedy):
            return f"{who} signed in, but account {account.name} is for {expected}. {remedy}"
        case Incomplete(who=who, missing=missing, remedy=remedy):
            verb = "is" if len(missing) == 1 else "are"
            return f"{who} may sign in, but {' and '.join(missing)} {verb} missing. {remedy}"
        case TokenRefused(description=text, remedy=remedy, error=error):
            return f"Microsoft refused ({error}): {text} {remedy}"
        case Rejected(reason=reason, remedy=remedy) | VaultProblem(reason=reason, remedy=remedy):
            return f"{reason} {remedy}"
        case EntraUnreachable(reason=reason):
            return f"{reason.rstrip('.')}. {_again(account)}"
    return str(trouble)


def _missing(redirected: str) -> str:
    """Which parameter an address lost on its way, if any: terminals cut long lines."""
    answer = query_of(redirected)
    if "error" in answer:
        return ""
    return next((name for name in ("code", "state") if not answer.get(name)), "")


def _again(account: Account) -> str:
    return f"Run: graphrelay authorize {account.name}"


def _page(account: Account, result: SignInResult) -> Page:
    if isinstance(result, Stored):
        text = f"{result.who} is authorized as account {account.name}. You can close this window."
        return Page("Authorized", text)
    return Page("Not authorized", _sentence(account, result))
