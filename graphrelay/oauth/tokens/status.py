"""Status: whether an authorization works, with the evidence.

A pure decision from Entra's latest answer and what the vault holds. The word that is shown follows
from the verdict:

    Authorized     a token was granted, with everything that is needed
    Too broad      scoped-users, and the token is still good for the whole tenant
    Unauthorized   there is no authorization, or it lacks something that is needed
    Refused        Entra refused
    Unreachable, Vault problem   not known at present
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from graphrelay.assumptions import SAID
from graphrelay.oauth.answers import (
    EntraUnreachable,
    Granted,
    TokenAnswer,
    TokenRefused,
    Unauthorized,
    VaultProblem,
)
from graphrelay.oauth.authorization import Approved, Authorization, SignedIn
from graphrelay.oauth.cloud import permission_of
from graphrelay.oauth.consent import SIGN_IN, for_admins
from graphrelay.oauth.entra.claims import claims_of
from graphrelay.oauth.scenario import (
    Account,
    Application,
    ManagedIdentity,
    Permission,
    PermissionKind,
    Personal,
    ScopedUsers,
    permissions,
    scenario_name,
)
from graphrelay.oauth.tokens.credential_expiry import EndsSoon, ends_soon

LAPSES_AFTER = timedelta(days=90)
"""A refresh token's life without use
(https://learn.microsoft.com/entra/identity-platform/refresh-tokens)."""
SIGN_IN_SCOPES = frozenset({*SIGN_IN, "email", "offline_access", "user.read"})
"""Never lacking, and never too much: `User.Read` is in every new app registration."""
MAIL_ROLES = frozenset({"mail.send", "mail.readwrite", "mail.read"})


@dataclass(frozen=True, slots=True)
class Authorized:
    """Everything that is needed was granted."""


@dataclass(frozen=True, slots=True)
class TooBroad:
    """The application may still act for the whole tenant: the scope in Exchange has no effect."""

    roles: tuple[str, ...]
    remedy: str


@dataclass(frozen=True, slots=True)
class Lacking:
    """A token was granted, without something that the configuration needs."""

    missing: tuple[str, ...]
    remedy: str


Verdict = (
    Authorized | TooBroad | Lacking | Unauthorized | TokenRefused | EntraUnreachable | VaultProblem
)

WORDS: dict[type[Verdict], str] = {
    Authorized: "Authorized",
    TooBroad: "Too broad",
    Lacking: "Unauthorized",
    Unauthorized: "Unauthorized",
    TokenRefused: "Refused",
    EntraUnreachable: "Unreachable",
    VaultProblem: "Vault problem",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of an authorization that is stored."""

    who: str
    """The user who signed in, or the application."""
    tenant: str
    authorized_at: datetime
    authorized_by: str
    refreshed_at: datetime
    lapses_at: datetime | None
    """When it expires if it is not used; `None` for an application's."""
    granted: tuple[str, ...]
    needed: tuple[Permission, ...]
    missing: tuple[str, ...]
    superfluous: tuple[str, ...]
    credential_ends_at: datetime | None = None
    """When the application's secret or certificate expires, if known."""
    token_expires_at: datetime | None = None
    """When the newest access token expires."""
    issued_at: datetime | None = None
    """When Azure issued the token of a managed identity; `None` for other credentials."""


@dataclass(frozen=True, slots=True)
class Status:
    """One account's."""

    account: str
    scenario: str
    verdict: Verdict
    evidence: Evidence | None
    vault: str
    warning: EndsSoon | None = None
    """What works today and will stop working soon."""

    @property
    def word(self) -> str:
        return WORDS[type(self.verdict)]

    @property
    def is_well(self) -> bool:
        return isinstance(self.verdict, Authorized)


def status_of(
    account: Account,
    answer: TokenAnswer,
    found: "Authorization | Unauthorized | VaultProblem",
    vault: str,
    ends_at: datetime | None,
    now: datetime,
) -> Status:
    """The verdict and its evidence. A pure function."""
    evidence = (
        _evidence(account, found, ends_at) if isinstance(found, SignedIn | Approved) else None
    )
    verdict = _verdict(account, answer, evidence)
    warning = ends_soon(account, ends_at, now)
    name = scenario_name(account.scenario)
    return Status(account.name, name, verdict, evidence, vault, warning)


def _verdict(account: Account, answer: TokenAnswer, evidence: Evidence | None) -> Verdict:
    if not isinstance(answer, Granted):
        return answer
    if broad := too_broad(account, answer.scopes):
        return broad
    missing = evidence.missing if evidence else ()
    return Lacking(missing, _complete(account, missing)) if missing else Authorized()


def too_broad(account: Account, roles: tuple[str, ...]) -> TooBroad | None:
    """Whether an application that should be limited to a scope may act for the whole tenant."""
    mail = tuple(role for role in roles if role.casefold() in MAIL_ROLES)
    if not mail or not isinstance(account.scenario, ScopedUsers):
        return None
    return TooBroad(mail, _narrow(account, mail))


def _narrow(account: Account, roles: tuple[str, ...]) -> str:
    return (
        f"Remove {', '.join(roles)} from application {account.client_id} in Entra (Enterprise "
        "applications > Permissions): Exchange adds it to the role with the scope. Then run: "
        f"graphrelay status {account.name}{_when_it_shows(account)}"
    )


def _complete(account: Account, missing: tuple[str, ...]) -> str:
    what = ", ".join(missing)
    if isinstance(account.scenario, Application):
        return (
            f"Grant {what} as application permission to {account.client_id} in Entra (App "
            "registrations > API permissions > Grant admin consent). Then run: "
            f"graphrelay status {account.name}{_when_it_shows(account)}"
        )
    asked = [one for one in permissions(account) if one.name in missing]
    if for_admins(asked) and not isinstance(account.scenario, Personal):
        return (
            f"Grant {what} as delegated permission to {account.client_id} in Entra (App "
            "registrations > API permissions > Grant admin consent): by Microsoft's default, users "
            f"may not consent to it themselves. Then run: graphrelay authorize {account.name}"
        )
    return f"Consent to {what}. Run: graphrelay authorize {account.name}"


def _when_it_shows(account: Account) -> str:
    """Azure's cache: "limitation of using managed identities for authorization", in
    https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/managed-identity-best-practice-recommendations
    """
    if not _is_managed(account):
        return ""
    return f"   ({SAID['managed-identity'].assumed}, so the change may take a day)"


def _is_managed(account: Account) -> bool:
    scenario = account.scenario
    return isinstance(scenario, Application) and isinstance(scenario.credential, ManagedIdentity)


def _issued_at(claims: Mapping[str, Any]) -> datetime | None:
    try:
        return datetime.fromtimestamp(claims["iat"], UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return None


def _evidence(account: Account, found: Authorization, ends_at: datetime | None) -> Evidence:
    needed = permissions(account)
    granted = found.access.scopes
    claims = claims_of(found.access.text)
    user = found.signed_in if isinstance(found, SignedIn) else None
    return Evidence(
        who=user.username if user else f"application {account.client_id}",
        tenant=str(claims.get("tid") or account.authority_tenant),
        authorized_at=found.authorized_at,
        authorized_by=found.authorized_by,
        refreshed_at=found.access.obtained_at,
        lapses_at=found.access.obtained_at + LAPSES_AFTER if user else None,
        granted=granted,
        needed=needed,
        missing=_missing(granted, needed),
        superfluous=_superfluous(granted, needed),
        credential_ends_at=ends_at,
        token_expires_at=found.access.expires_at,
        issued_at=_issued_at(claims) if _is_managed(account) else None,
    )


def _missing(granted: tuple[str, ...], needed: tuple[Permission, ...]) -> tuple[str, ...]:
    """Exchange roles are not in tokens: only sending a message shows whether they are there."""
    have = {permission_of(name).casefold() for name in granted}
    return tuple(
        p.name
        for p in needed
        if p.kind is not PermissionKind.EXCHANGE_ROLE
        and p.name not in SIGN_IN_SCOPES
        and p.name.casefold() not in have
    )


def _superfluous(granted: tuple[str, ...], needed: tuple[Permission, ...]) -> tuple[str, ...]:
    wanted = {p.name.casefold() for p in needed} | SIGN_IN_SCOPES
    return tuple(name for name in granted if permission_of(name).casefold() not in wanted)
