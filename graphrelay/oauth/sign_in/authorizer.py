"""Authorizing an account: the flows in which a user signs in, or an admin approves.

    browser       begin ─▶ url ─▶ user signs in ─▶ redirect ─▶ complete
    paste         the same; the user copies the redirected address back by hand
    device        begin_device ─▶ code ─▶ user enters it elsewhere ─▶ poll … poll
    application   approve: the application's credential gets its first token

Each flow is cut where the daemon hands over to a command line that runs elsewhere. Nothing is
stored before everything is checked, and storing replaces the old authorization in one step: until
then the old one works. The user who signs in must be the configured one.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from graphrelay.model import same_address
from graphrelay.oauth.answers import EntraUnreachable, TokenRefused, VaultProblem
from graphrelay.oauth.authorization import Approved, Authorization, Binding, SignedIn, User
from graphrelay.oauth.entra.refusals import refused_in_browser
from graphrelay.oauth.entra.responses import CodeRequest, DeviceRequest, NotYet, TokenResponse
from graphrelay.oauth.scenario import Account
from graphrelay.oauth.sign_in.loopback import query_of
from graphrelay.oauth.tokens.manager import TokenManager
from graphrelay.oauth.tokens.status import Lacking

SIGN_IN_TIME = timedelta(minutes=10)
"""How long a user has on the sign-in page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """The browser goes to `authorization_url`, and is redirected to `redirect_uri`."""

    account: Account
    authorization_url: str = field(repr=False)
    redirect_uri: str
    expires_at: datetime
    request: CodeRequest = field(repr=False)

    @property
    def state(self) -> str:
        """What the redirect must contain (RFC 6749 section 10.12)."""
        return self.request.state


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingDevice:
    """The user enters `user_code` at `verification_uri`."""

    account: Account
    user_code: str
    verification_uri: str
    expires_at: datetime
    interval: timedelta
    request: DeviceRequest = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """Authorized, and in the vault."""

    who: str
    granted: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incomplete:
    """In the vault, but without something that the configuration needs."""

    who: str
    missing: tuple[str, ...]
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongAccount:
    """Another user signed in. Nothing was stored."""

    signed_in: str
    expected: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """The answer does not belong to this sign-in, came too late, or is incomplete. Nothing was
    stored."""

    reason: str
    remedy: str


SignInFailure = (
    Incomplete | WrongAccount | Rejected | TokenRefused | EntraUnreachable | VaultProblem
)
SignInResult = Stored | SignInFailure


class Authorizer:
    """Runs the flows. It has no state: the pending values contain all of it."""

    def __init__(self, tokens: TokenManager) -> None:
        self._tokens = tokens

    # Browser, paste --------------------------------------------------------------------------

    async def begin(
        self, account: Account, redirect_uri: str
    ) -> Pending | TokenRefused | EntraUnreachable:
        """Where to send the browser; `redirect_uri` is `http://localhost:<port>`."""
        request = await self._tokens.ask(account, lambda grants: grants.begin_code(redirect_uri))
        if not isinstance(request, CodeRequest):
            return request
        return Pending(
            account=account,
            authorization_url=request.url,
            redirect_uri=redirect_uri,
            expires_at=self._tokens.clock.now() + SIGN_IN_TIME,
            request=request,
        )

    async def complete(self, pending: Pending, redirected: str, by: str) -> SignInResult:
        """Finish with the whole redirected address, or its query."""
        answer = self._accepted(pending, redirected)
        if isinstance(answer, Rejected | TokenRefused):
            return answer
        request = pending.request
        response = await self._tokens.ask(
            pending.account, lambda grants: grants.redeem(request, answer)
        )
        return await self._signed_in(pending.account, response, by)

    def _accepted(
        self, pending: Pending, redirected: str
    ) -> Mapping[str, str] | Rejected | TokenRefused:
        again = _again(pending.account)
        answer = query_of(redirected)
        if not hmac.compare_digest(answer.get("state", "").encode(), pending.state.encode()):
            reason = "The answer belongs to another sign-in (its state differs)."
            return Rejected(reason=reason, remedy=again)
        if self._tokens.clock.now() >= pending.expires_at:
            return Rejected(reason="The sign-in took too long.", remedy=again)
        if "error" in answer:
            return refused_in_browser(answer, pending.account)
        if not answer.get("code"):
            return Rejected(reason="The answer holds no authorization code.", remedy=again)
        return answer

    # Device ----------------------------------------------------------------------------------

    async def begin_device(
        self, account: Account
    ) -> PendingDevice | TokenRefused | EntraUnreachable:
        """A code to enter on any machine."""
        request = await self._tokens.ask(account, lambda grants: grants.begin_device())
        if not isinstance(request, DeviceRequest):
            return request
        return PendingDevice(
            account=account,
            user_code=request.user_code,
            verification_uri=request.verification_uri,
            expires_at=self._tokens.clock.now() + request.expires_in,
            interval=request.interval,
            request=request,
        )

    async def poll(self, pending: PendingDevice, by: str) -> PendingDevice | SignInResult:
        """Ask once. If the result is pending, ask again with it after its `interval`."""
        account, interval = pending.account, pending.interval
        if self._tokens.clock.now() >= pending.expires_at:
            return Rejected(reason="The code was not used in time.", remedy=_again(account))
        response = await self._tokens.ask(
            account, lambda grants: grants.poll_device(pending.request, interval)
        )
        match response:
            case NotYet(interval=longer):
                return replace(pending, interval=longer)
            case EntraUnreachable(malformed=False):
                return pending  # The user is signing in; a lost answer does not end the flow.
        return await self._signed_in(account, response, by)

    async def wait(self, pending: PendingDevice, by: str) -> SignInResult:
        """Poll until there is a result. Cancel it to give up."""
        state: PendingDevice | SignInResult = pending
        while isinstance(state, PendingDevice):
            await self._tokens.clock.sleep(state.interval)
            state = await self.poll(state, by)
        return state

    # Application -----------------------------------------------------------------------------

    async def approve(self, account: Account, by: str) -> SignInResult:
        """Authorize an application. Its credential must get a token now."""
        response = await self._tokens.ask(account, lambda grants: grants.by_credential())
        if not isinstance(response, TokenResponse):
            return response
        approved = Approved(
            authorized_at=self._tokens.clock.now(),
            authorized_by=by,
            binding=Binding.of(account, self._tokens.cloud),
            access=response.access,
        )
        who = f"application {account.client_id}" if account.client_id else "managed identity"
        return await self._stored(account, approved, who)

    # The end of each -------------------------------------------------------------------------

    async def _signed_in(
        self, account: Account, response: TokenResponse | TokenRefused | EntraUnreachable, by: str
    ) -> SignInResult:
        if not isinstance(response, TokenResponse):
            return response
        trouble = _identity_trouble(account, response)
        if trouble is not None:
            return trouble
        who = username_of(response.id_claims)
        signed_in = SignedIn(
            authorized_at=self._tokens.clock.now(),
            authorized_by=by,
            binding=Binding.of(account, self._tokens.cloud),
            access=response.access,
            signed_in=User(
                username=who,
                tenant_id=str(response.id_claims.get("tid") or ""),
                refresh_token=response.refresh_token or "",
            ),
        )
        return await self._stored(account, signed_in, who)

    async def _stored(self, account: Account, given: Authorization, who: str) -> SignInResult:
        problem = await self._tokens.adopt(account, given)
        if problem is not None:
            return problem
        verdict = (await self._tokens.status(account.name, prove=False)).verdict
        if isinstance(verdict, Lacking):
            return Incomplete(who=who, missing=verdict.missing, remedy=verdict.remedy)
        return Stored(who=who, granted=given.access.scopes)


def username_of(id_claims: Mapping[str, Any]) -> str:
    """The user who signed in, as the ID token names them. Not by `email`, which users of some
    tenants may choose (https://learn.microsoft.com/entra/identity-platform/claims-validation)."""
    for claim in ("preferred_username", "upn"):
        if (name := id_claims.get(claim)) and isinstance(name, str):
            return name
    return ""


def _identity_trouble(
    account: Account, response: TokenResponse
) -> "WrongAccount | Rejected | None":
    signed_in, expected = username_of(response.id_claims), account.username or ""
    if not same_address(signed_in, expected):
        return WrongAccount(
            signed_in=signed_in or "(no user name)",
            expected=expected,
            remedy=f"Sign out in the browser or use a private window, then sign in as {expected}. "
            + _again(account),
        )
    tenant = str(response.id_claims.get("tid") or "").lower()
    if response.tenant_id and tenant != response.tenant_id:
        reason = f"The ID token is of another tenant ({tenant or 'none is named'}, not "
        reason += f"{response.tenant_id})."
        return Rejected(reason=reason, remedy=_again(account))
    if response.id_claims.get("aud") != account.client_id:
        reason = "The ID token was issued to another application."
        return Rejected(reason=reason, remedy=_again(account))
    if not response.refresh_token:
        reason = "Entra gave no refresh token (offline_access), so this would last an hour only."
        return Rejected(reason=reason, remedy=f"Allow offline_access. {_again(account)}")
    return None


def _again(account: Account) -> str:
    return f"Run: graphrelay authorize {account.name}"
