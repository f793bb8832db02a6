"""The app registration as `az` commands (Azure CLI, bash), for exactly one account.

They can be pasted as they are; values that the admin must fill in are marked by `<` and `>`.
"""

import shlex
from collections.abc import Iterator

from graphrelay.guide.setup import (
    CONSOLE_REDIRECT,
    NO_ID,
    Registration,
    credential_of,
    name_of,
)
from graphrelay.oauth.consent import APPROVAL, GRANTABLE, GRAPH, for_admins, id_of, to_grant
from graphrelay.oauth.scenario import (
    Account,
    Certificate,
    ClientSecret,
    FederatedToken,
    ManagedIdentity,
    PermissionKind,
    Personal,
    ScopedUsers,
    permissions,
)

CLOUDS = {
    "us-gov-high": "AzureUSGovernment",
    "us-gov-dod": "AzureUSGovernment",
    "china": "AzureChinaCloud",
}
GRAPH_OF = {
    "us-gov-high": "https://graph.microsoft.us",
    "us-gov-dod": "https://dod-graph.microsoft.us",
    "china": "https://microsoftgraph.chinacloudapi.cn",
}
_GRAPH = "https://graph.microsoft.com"


def commands(setup: Registration) -> list[str]:
    """Lines for a shell."""
    identity = credential_of(setup.account)
    if isinstance(identity, ManagedIdentity):
        return [*_login(setup), *_identity(setup, identity)]
    account = setup.account
    return [
        *_login(setup),
        *_registration(account),
        *_credential(account),
        *_ids(account),
        *_console(account),
    ]


def _login(setup: Registration) -> Iterator[str]:
    if cloud := CLOUDS.get(setup.cloud.name):
        yield f"az cloud set --name {cloud}"
    if setup.cloud.name == "us-gov-dod":
        graph = GRAPH_OF["us-gov-dod"]
        yield f"az cloud update --name {cloud} --endpoint-microsoft-graph-resource-id {graph}/"
    tenant = setup.account.tenant
    known = tenant and tenant != NO_ID
    yield "az login --allow-no-subscriptions" + (f" --tenant {shlex.quote(tenant)}" * bool(known))


def _registration(account: Account) -> Iterator[str]:
    audience = "AzureADMyOrg"
    if isinstance(account.scenario, Personal):
        yield "# Log in as a user of a directory: without one nothing can be registered."
        audience = "PersonalMicrosoftAccount --requested-access-token-version 2"
    yield f"APP_ID=$(az ad app create --display-name {name_of(account)} \\"
    yield f"  --sign-in-audience {audience} \\"
    if account.username:
        yield "  --public-client-redirect-uris http://localhost --is-fallback-public-client true \\"
    yield "  --query appId --output tsv)"
    if not isinstance(account.scenario, Personal):
        yield 'az ad sp create --id "$APP_ID" --output none'
    yield from _granting(account)


def _granting(account: Account) -> Iterator[str]:
    needed = permissions(account)
    kind = needed[0].kind
    if kind is PermissionKind.EXCHANGE_ROLE:
        yield "# No permission here: it would apply to every mailbox, not only to the scope."
        return
    names = to_grant(needed)
    yield f"# {', '.join(names)}"
    yield f'az ad app permission add --id "$APP_ID" --api {GRAPH} \\'
    yield f"  --api-permissions {' '.join(id_of(name, kind) for name in names)}"
    if isinstance(account.scenario, Personal):
        return
    if for_admins(needed):
        names = for_admins(needed)
        yield f"# Required: by default only an admin may consent to {', '.join(names)}."
    else:
        yield "# Where users of the tenant may not consent themselves:"
    if kind is PermissionKind.SCOPE:
        yield f"# Without it, whoever signs in is shown {APPROVAL}."
    yield 'az ad app permission admin-consent --id "$APP_ID"'


def _credential(account: Account) -> Iterator[str]:
    match credential_of(account):
        case ClientSecret():
            yield "# The secret's value, which is shown only once. It is valid for a year:"
            yield 'az ad app credential reset --id "$APP_ID" --append --years 1 \\'
            yield f"  --display-name {name_of(account)} --query password --output tsv"
        case Certificate() as certificate:
            yield from _certificate(account, certificate)
        case FederatedToken():
            yield "# Issuer and subject exactly as in the token (iss, sub):"
            yield 'az ad app federated-credential create --id "$APP_ID" --parameters \\'
            yield (
                '  \'{"name": "graphrelay", "issuer": "<ISSUER>", "subject": "<SUBJECT>", '
                '"audiences": ["api://AzureADTokenExchange"]}\''
            )


def _certificate(account: Account, certificate: Certificate) -> Iterator[str]:
    """The private key is created where the relay runs, and stays there."""
    name, path = name_of(account), shlex.quote(str(certificate.path))
    yield "# On the machine of the relay, which the private key never leaves (valid for two years):"
    yield f"openssl req -x509 -newkey rsa:3072 -nodes -sha256 -days 730 -subj /CN={name} \\"
    yield f"  -keyout {name}.key -out {name}.crt"
    if certificate.path.suffix.lower() in (".pfx", ".p12"):
        yield f"openssl pkcs12 -export -inkey {name}.key -in {name}.crt -out {path}"
    elif certificate.key_path:
        yield f"cp {name}.crt {path} && cp {name}.key {shlex.quote(str(certificate.key_path))}"
    else:
        yield f"cat {name}.key {name}.crt > {path}"
    yield f"# Then make it readable by the relay alone, delete {name}.key, and upload:"
    yield f'az ad app credential reset --id "$APP_ID" --append --cert @{name}.crt --output none'


def _ids(account: Account) -> Iterator[str]:
    yield 'echo "client_id: $APP_ID"'
    if not isinstance(account.scenario, Personal):
        yield 'echo "tenant: $(az account show --query tenantId --output tsv)"'
    if isinstance(account.scenario, ScopedUsers):
        yield "# For setup-scope: the object id of the enterprise application."
        yield 'echo "object id: $(az ad sp show --id "$APP_ID" --query id --output tsv)"'


def _console(account: Account) -> Iterator[str]:
    if isinstance(account.scenario, Personal):
        return
    option = "--web-redirect-uris"
    if account.username:
        option = "--public-client-redirect-uris http://localhost"  # the list is replaced
    yield "# Only if people shall sign in to the console with Microsoft (docs/console.md):"
    yield f'# az ad app update --id "$APP_ID" {option} {CONSOLE_REDIRECT}'


def _identity(setup: Registration, identity: ManagedIdentity) -> Iterator[str]:
    if identity.client_id:
        yield "az vm identity assign --resource-group <GROUP> --name <MACHINE> --identities <NAME>"
        shown = f"az ad sp show --id {identity.client_id} --query id --output tsv"
    else:
        yield "az vm identity assign --resource-group <GROUP> --name <MACHINE>"
        shown = (
            "az vm show --resource-group <GROUP> --name <MACHINE> "
            "--query identity.principalId --output tsv"
        )
    yield f"PRINCIPAL_ID=$({shown})"
    needed = permissions(setup.account)
    if needed[0].kind is PermissionKind.EXCHANGE_ROLE:
        yield "# Grant it no permission here. Its object id, for setup-scope:"
        yield 'echo "object id: $PRINCIPAL_ID"'
        return
    graph = GRAPH_OF.get(setup.cloud.name, _GRAPH)
    yield f"GRAPH_ID=$(az ad sp show --id {GRAPH} --query id --output tsv)"
    for permission in needed:
        yield f"# {permission.name}"
        yield "az rest --method POST --headers Content-Type=application/json \\"
        yield f'  --url "{graph}/v1.0/servicePrincipals/$PRINCIPAL_ID/appRoleAssignments" \\'
        yield (
            '  --body "{\\"principalId\\": \\"$PRINCIPAL_ID\\", \\"resourceId\\": \\"$GRAPH_ID\\", '
            f'\\"appRoleId\\": \\"{GRANTABLE[permission.name].role_id}\\"}}"'
        )
