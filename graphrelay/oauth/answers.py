"""The answers to a request for a token. All of them are data; nothing here is ever raised.

    Granted            an access token
    Unauthorized       `graphrelay authorize` was not run, or for another configuration
    TokenRefused       Entra refused, and will refuse again until a person changes something
    EntraUnreachable   no clear answer: the network, a proxy, or Entra fails; tried again by itself
    VaultProblem       the vault cannot be read or written

No secret is ever in a `repr`, and none is in `reason`, `description` or `remedy`.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from graphrelay.model import Delayed, Paused, Trouble
from graphrelay.oauth.authorization import Authorization


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """An access token that can be used."""

    access_token: str = field(repr=False)
    expires_at: datetime
    scopes: tuple[str, ...] = ()
    """Scopes (delegated) or roles (application), without their resource; may be empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unauthorized:
    """There is no authorization that could be used."""

    reason: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRefused:
    """Entra refused. `kind` is for people and for choosing messages, never for choosing a grant."""

    error: str
    """OAuth's `error` (RFC 6749 section 5.2); empty where the credential could not be read."""
    kind: str
    """A class of the table in `refusals`, such as `consent` or `secret-expired`."""
    remedy: str
    description: str = ""
    """Microsoft's own text."""
    suberror: str = ""
    error_codes: tuple[int, ...] = ()
    """The AADSTS numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntraUnreachable:
    """There was no clear answer; trying again may help."""

    reason: str
    retry_after: timedelta | None = None
    """Entra's Retry-After, if there was one."""
    malformed: bool = False
    """Whether there was an answer that is not OAuth: it ends a sign-in that is under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultProblem:
    """The vault is locked, missing, damaged, full, or does not answer."""

    reason: str
    remedy: str
    passes: bool = False
    """Whether it ends by itself: the database that keeps it is away."""


EntraFailure = TokenRefused | EntraUnreachable
NotGranted = Unauthorized | EntraFailure | VaultProblem
TokenAnswer = Granted | NotGranted


@dataclass(frozen=True, slots=True)
class RefreshResult:
    """The answer; with `Granted`, the authorization that the token comes from."""

    answer: TokenAnswer
    found: Authorization | None = field(default=None, repr=False)
    """Without its refresh token."""


def outcome_without_token(account: str, answer: NotGranted) -> Paused | Delayed:
    """What every request of the account comes to: nothing was sent, as there was no token."""
    name = f'account "{account}"'
    match answer:
        case EntraUnreachable(reason=reason, retry_after=retry_after):
            text = f"{name}: no token could be fetched: {reason}"
            return Delayed(status="4.4.1", reason=text, retry_after=retry_after)
        case VaultProblem(reason=reason, passes=True):
            return Delayed(status="4.3.0", reason=f"{name}: {reason}")
        case TokenRefused():
            reason = f"Microsoft refused a token ({answer.description or answer.error})"
        case Unauthorized(reason=reason) | VaultProblem(reason=reason):
            pass
    return Paused(
        trouble=Trouble.AUTHORIZATION,
        status="4.7.0",
        reason=reason if f"account {account!r}" in reason.lower() else f"{name}: {reason}",
        remedy=answer.remedy,
    )
