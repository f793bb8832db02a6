"""The app registration as steps in the Entra portal, for exactly one account.

Names are capitalized as on the portal's pages. The steps follow
https://learn.microsoft.com/entra/identity-platform/quickstart-register-app.
"""

from collections.abc import Iterator

from graphrelay.guide.setup import CONSOLE_REDIRECT, Registration, credential_of, name_of
from graphrelay.oauth.consent import APPROVAL, for_admins, to_grant
from graphrelay.oauth.scenario import (
    Account,
    Certificate,
    ClientSecret,
    FederatedToken,
    ManagedIdentity,
    Permission,
    PermissionKind,
    Personal,
    ScopedUsers,
    permissions,
)

PORTALS = {
    "us-gov-high": "https://portal.azure.us (Microsoft Entra ID)",
    "us-gov-dod": "https://portal.azure.us (Microsoft Entra ID)",
    "china": "https://portal.azure.cn (Microsoft Entra ID)",
}
DIRECTORY = (
    "Applications can no longer be registered outside a directory, so sign in as a user of one. "
    "If you have none, a free Azure account (https://azure.microsoft.com/free) includes one. An "
    "application of any organization will do, as long as its supported account types include "
    "personal Microsoft accounts."
)
PORTAL = "https://entra.microsoft.com"


def steps(setup: Registration) -> list[str]:
    """One or two sentences each, in their order."""
    account = setup.account
    if isinstance(credential_of(account), ManagedIdentity):
        return list(_identity(account))
    return [
        *_registration(setup),
        *_credential(account),
        *_permissions(account),
        *_ids(account),
        *_console(account),
    ]


def _registration(setup: Registration) -> Iterator[str]:
    account = setup.account
    portal = PORTALS.get(setup.cloud.name, PORTAL)
    who = "Accounts in this organizational directory only"
    if isinstance(account.scenario, Personal):
        who = "Personal Microsoft accounts only"
    if isinstance(account.scenario, Personal):
        yield DIRECTORY
    yield f"{portal}: App registrations > New registration."
    yield f"Name: {name_of(account)}. Supported account types: {who}. Register."
    if account.username:
        yield (
            "Authentication > Add a platform > Mobile and desktop applications > Custom redirect "
            "URIs: http://localhost > Configure."
        )
        yield "Authentication > Allow public client flows: Yes (for --device). Save."


def _credential(account: Account) -> Iterator[str]:
    match credential_of(account):
        case ClientSecret():
            yield (
                "Certificates & secrets > Client secrets > New client secret. Copy its Value now: "
                "it is shown once. (The Secret ID is not needed.)"
            )
        case Certificate():
            yield (
                "Certificates & secrets > Certificates > Upload certificate: the certificate "
                "alone, without its private key."
            )
        case FederatedToken():
            yield (
                "Certificates & secrets > Federated credentials > Add credential: issuer, subject "
                "and audience exactly as in the token (audience: api://AzureADTokenExchange)."
            )


def _permissions(account: Account) -> Iterator[str]:
    needed = permissions(account)
    names = ", ".join(to_grant(needed))
    match needed[0].kind:
        case PermissionKind.SCOPE:
            yield (
                f"API permissions > Add a permission > Microsoft Graph > Delegated permissions: "
                f"{names}. User.Read, which is already listed, may stay; remove anything else."
            )
            if not isinstance(account.scenario, Personal):
                yield f"{_admin_consent(needed)} {WITHOUT}"
        case PermissionKind.ROLE:
            yield (
                f"API permissions > Add a permission > Microsoft Graph > Application permissions: "
                f"{names}. Then Grant admin consent."
            )
        case PermissionKind.EXCHANGE_ROLE:
            yield (
                "API permissions: grant nothing. Mail.Send here would apply to every mailbox, not "
                "only to the scope in Exchange."
            )


WITHOUT = f"Without it, whoever signs in is shown {APPROVAL}."


def _admin_consent(needed: tuple[Permission, ...]) -> str:
    if names := ", ".join(for_admins(needed)):
        return f"Grant admin consent: by default only an admin may consent to {names}."
    return "Where users of the tenant may not consent themselves: Grant admin consent."


def _ids(account: Account) -> Iterator[str]:
    tenant = "" if isinstance(account.scenario, Personal) else " and the Directory (tenant) ID"
    yield f"Overview: copy the Application (client) ID{tenant}."
    if isinstance(account.scenario, ScopedUsers):
        yield (
            "Enterprise applications > the same name > Overview: copy the Object ID. Exchange "
            "needs this one, which differs from that of the app registration."
        )


def _console(account: Account) -> Iterator[str]:
    if not isinstance(account.scenario, Personal):
        platform = "Mobile and desktop applications" if account.username else "Web"
        yield (
            "Only if people shall sign in to the relay's console with Microsoft: Authentication > "
            f"Add a platform > {platform}, redirect URI {CONSOLE_REDIRECT}, or https:// with the "
            "console's name and port (docs/console.md)."
        )


def _identity(account: Account) -> Iterator[str]:
    if account.client_id:
        yield "https://portal.azure.com: Managed Identities > Create (or choose one)."
        yield "The virtual machine or app > Identity > User assigned > Add: that identity."
    else:
        yield "https://portal.azure.com: the virtual machine or app > Identity."
        yield "System assigned > Status: On > Save."
    yield "Copy the Object (principal) ID, which is that of the enterprise application."
    if isinstance(account.scenario, ScopedUsers):
        yield "Grant it nothing in Entra: its permission comes with the scope in Exchange."
    else:
        names = ", ".join(permission.name for permission in permissions(account))
        yield f"The portal cannot grant it {names}: use the az commands."
