"""What must be consented to in Entra, by whom, and under which ids: one table.

`init` prints the registration from it, `authorize` and `status` say from it what an admin must
grant, and docs/scenarios.md is compared with it.

Since 2025 Microsoft's own consent policy, which tenants have by default, lets users consent to
sending mail and not to reading it, nor to the mail of others
(https://learn.microsoft.com/entra/identity/enterprise-apps/manage-app-consent-policies). The ids
are those of https://learn.microsoft.com/graph/permissions-reference.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from graphrelay.oauth.scenario import Permission, PermissionKind

GRAPH = "00000003-0000-0000-c000-000000000000"
"""The application id of Microsoft Graph, the same in every tenant and cloud."""


@dataclass(frozen=True, slots=True)
class Grantable:
    """A permission as Entra knows it."""

    name: str
    scope_id: str
    """Of the delegated permission."""
    role_id: str = ""
    """Of the application permission, which an admin must grant in any case."""
    users_may_consent: bool = False
    """By Microsoft's default policy; a tenant may have another."""


_TABLE = (
    Grantable(
        "Mail.Send",
        "e383f46e-2787-4529-855e-0e479a3ffac0",
        "b633e1c5-b582-4048-a93e-9f11b44c7e96",
        users_may_consent=True,
    ),
    Grantable("Mail.Send.Shared", "a367ab51-6b49-43bf-a716-a1fb06d2a174"),
    Grantable(
        "Mail.Read",
        "570282fd-fa5c-430d-a7fd-fc8dc98a9dca",
        "810c84a8-4a9e-49e6-bf7d-12d183f40d01",
    ),
    Grantable("Mail.Read.Shared", "7b9103a5-4610-446b-9670-80643382c1fa"),
    Grantable(
        "Mail.ReadWrite",
        "024d486e-b451-40bb-833d-3e66d98c5c73",
        "e2a3a72e-5f79-4c64-b1b1-878b674786c9",
    ),
    Grantable("Mail.ReadWrite.Shared", "5df07973-7d5d-46ed-9847-1271055cbd51"),
    Grantable("offline_access", "7427e0e9-2fba-42fe-b0c0-848c9e6a8182", users_may_consent=True),
    Grantable("openid", "37f7f235-527c-4136-accd-4a02d197296e", users_may_consent=True),
    Grantable("profile", "14dad69e-099b-42c9-810b-d002981feec1", users_may_consent=True),
)
GRANTABLE = {one.name: one for one in _TABLE}

SIGN_IN = ("openid", "profile")
"""What every sign-in asks for besides. An admin consent without them (or User.Read, which includes
them) still ends in "Need admin approval" where users may not consent at all."""
APPROVAL = (
    '"Need admin approval: … needs permission to access resources in your organization that only '
    'an admin can grant"'
)
"""The screen that a user meets where an admin has not granted what the user may not."""


def to_grant(permissions: Iterable[Permission]) -> tuple[str, ...]:
    """The names of what the app registration lists: what the account needs, and what signing in
    does. Exchange's roles are not granted in Entra."""
    needed = [one for one in permissions if one.kind is not PermissionKind.EXCHANGE_ROLE]
    delegated = any(one.kind is PermissionKind.SCOPE for one in needed)
    return (*(one.name for one in needed), *(SIGN_IN if delegated else ()))


def for_admins(permissions: Iterable[Permission]) -> tuple[str, ...]:
    """The names of those to which an admin must consent under Microsoft's default policy."""
    return tuple(
        one.name
        for one in permissions
        if one.kind is PermissionKind.ROLE
        or (one.kind is PermissionKind.SCOPE and not GRANTABLE[one.name].users_may_consent)
    )


def id_of(name: str, kind: PermissionKind) -> str:
    """As `az` wants it, such as `e383…=Scope`."""
    known = GRANTABLE[name]
    return f"{known.scope_id}=Scope" if kind is PermissionKind.SCOPE else f"{known.role_id}=Role"
