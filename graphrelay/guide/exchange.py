"""A scope in Exchange Online as PowerShell (RBAC for Applications), for one scoped-users account.

https://learn.microsoft.com/exchange/permissions-exo/application-rbac. The script can be run as it
is once it has the two ids; every line that is not a command is a comment.
"""

import re
from collections.abc import Iterator

from graphrelay.assumptions import SAID
from graphrelay.guide.setup import name_of
from graphrelay.oauth.scenario import Account, ManagedIdentity, ScopedUsers, permissions

ENVIRONMENTS = {
    "us-gov-high": "O365USGovGCCHigh",
    "us-gov-dod": "O365USGovDoD",
    "china": "O365China",
}
OBJECT_ID = "<object id of the ENTERPRISE application>"
APP_ID = "<application (client) ID>"
OUTSIDE = "<a mailbox that is outside>"

# PowerShell treats typographic quotation marks as straight ones.
_QUOTES = re.compile("(['\u2018\u2019\u201a\u201b])")
_SPECIAL = re.compile('([`"$\u201c\u201d\u201e])')


def script(account: Account, cloud: str, object_id: str, attribute: str, group: str) -> list[str]:
    """PowerShell. `attribute` marks mailboxes that are configured by domain; a `group`, if given,
    is the scope instead of the configured mailboxes."""
    return [
        *_ids(account, cloud, object_id),
        *_scope(account, attribute, group),
        *_grant(account),
        *_proof(account),
    ]


def _ids(account: Account, cloud: str, object_id: str) -> Iterator[str]:
    environment = ENVIRONMENTS.get(cloud)
    yield f"# Limits account {account.name!r} of graphrelay to its mailboxes."
    yield "# Run it in PowerShell, as a member of Organization Management (Exchange Administrator)."
    yield "# First, once: Install-Module ExchangeOnlineManagement -Scope CurrentUser"
    yield "Connect-ExchangeOnline" + (
        f" -ExchangeEnvironmentName {environment}" * bool(environment)
    )
    yield ""
    yield f"$AppId = {_single(account.client_id or APP_ID)}"
    if isinstance(account.scenario, ScopedUsers) and isinstance(
        account.scenario.credential, ManagedIdentity
    ):
        yield "# Of the managed identity: Azure portal > the machine > Identity > Object ID."
        yield "# Its application ID: az ad sp show --id <object id> --query appId --output tsv"
    else:
        yield "# Of the ENTERPRISE application: Entra > Enterprise applications > the same"
        yield "# name > Overview > Object ID. With az:"
        yield "#   az ad sp show --id <application ID> --query id --output tsv"
        yield "# NOT the Object ID of the app registration, with which Exchange refuses all mail."
    yield f"$ObjectId = {_single(object_id or OBJECT_ID)}"
    yield ""
    yield "# 1. Exchange's own reference to the application."
    yield (
        "New-ServicePrincipal -AppId $AppId -ObjectId $ObjectId "
        f"-DisplayName {_single(name_of(account))}"
    )


def _scope(account: Account, attribute: str, group: str) -> Iterator[str]:
    yield ""
    yield "# 2. The scope: which mailboxes."
    if group:
        yield "# Direct members only: Exchange ignores groups within the group."
        yield f"$Group = (Get-Group -Identity {_single(group)}).DistinguishedName"
        yield "$Filter = \"MemberOfGroup -eq '$Group'\""
    else:
        marker = f"{attribute} -eq '{name_of(account)}'"
        domains = [box for box in account.mailboxes if box.startswith("*@")]
        if domains:
            yield f"# {attribute} marks the mailboxes of whole domains. Mark new mailboxes, too."
        for domain in domains:
            yield (
                "Get-Mailbox -ResultSize Unlimited | Where-Object { $_.PrimarySmtpAddress -like "
                f"{_single(domain)} }} | Set-Mailbox -{attribute} {_single(name_of(account))}"
            )
        named = [box for box in account.mailboxes if not box.startswith("*@")]
        wanted = [f"PrimarySmtpAddress -eq '{_opath(box)}'" for box in named]
        yield f"$Filter = {_double(' -or '.join(wanted + [marker] * bool(domains)))}"
    scope = _single(name_of(account))
    yield f"New-ManagementScope -Name {scope} -RecipientRestrictionFilter $Filter"
    yield "# The mailboxes in the scope:"
    yield "Get-Recipient -RecipientPreviewFilter $Filter | Format-Table PrimarySmtpAddress"


def _grant(account: Account) -> Iterator[str]:
    yield ""
    yield "# 3. What the application may do in the scope."
    scope = _single(name_of(account))
    for permission in permissions(account):
        yield f"# {permission.name}: {permission.reason}"
        yield (
            f"New-ManagementRoleAssignment -App $ObjectId -Role {_single(permission.name)} "
            f"-CustomResourceScope {scope}"
        )


def _proof(account: Account) -> Iterator[str]:
    inside = account.default_mailbox or "<a mailbox that is inside>"
    yield ""
    yield "# 4. Test. InScope must be True for the first and False for the second."
    for mailbox in (inside, OUTSIDE):
        yield (
            f"Test-ServicePrincipalAuthorization -Identity $ObjectId -Resource {_single(mailbox)} "
            "| Format-Table"
        )
    yield ""
    yield f"# The test ignores Exchange's cache, but mail does not: {SAID['scope-delay'].assumed};"
    yield "# before, mail is refused with ErrorAccessDenied."
    yield "# Do not also grant Mail.Send in Entra: the permissions add up, and the application"
    yield "# could use every mailbox. `graphrelay status` then reports Too broad."
    yield f"# Then: graphrelay status {account.name} --outside {OUTSIDE}"


def _single(text: str) -> str:
    """A PowerShell string in which nothing is replaced."""
    return "'" + _QUOTES.sub(r"\1\1", text) + "'"


def _double(text: str) -> str:
    """A PowerShell string that holds single quotes as they are."""
    return '"' + _SPECIAL.sub(r"`\1", text) + '"'


def _opath(text: str) -> str:
    """Within the single quotes of an Exchange filter."""
    return text.replace("'", "''")
