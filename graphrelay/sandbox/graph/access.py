"""Who may use which mailbox for what, decided from the token and the URL.

Delegated permissions are scopes, and reach other people's mailboxes only in their `.Shared` form
and where Exchange gives Full Access. Application permissions are roles and reach every mailbox of
the tenant, unless an application access policy narrows them; what Exchange's RBAC for Applications
grants is not in the token and is added to them.
"""

from enum import Enum

from graphrelay.sandbox.directory import Directory, User
from graphrelay.sandbox.graph.errors import BLOCKED_BY_POLICY, GraphError
from graphrelay.sandbox.mailbox_settings import MailSettings
from graphrelay.sandbox.tokens import Principal


class Need(Enum):
    """What a request wants to do, as permissions: the names without `.Shared`, `.All`."""

    PROFILE = ("User.Read", "User.ReadBasic.All", "User.Read.All", "User.ReadWrite.All",
               "Directory.Read.All", "Directory.ReadWrite.All")  # fmt: skip
    READ = ("Mail.ReadBasic", "Mail.ReadBasic.All", "Mail.Read", "Mail.ReadWrite")
    WRITE = ("Mail.ReadWrite",)
    SEND = ("Mail.Send",)


def mailbox_for(
    principal: Principal,
    name: str | None,
    need: Need,
    directory: Directory,
    settings: MailSettings,
) -> User:
    """Whose mailbox `name` is (`None`: `/me`); raises `GraphError` for what is not allowed."""
    if principal.app_only:
        return _for_application(principal, name, need, directory, settings)
    return _for_user(principal, name, need, directory, settings)


def _for_user(
    principal: Principal,
    name: str | None,
    need: Need,
    directory: Directory,
    settings: MailSettings,
) -> User:
    caller = directory.user(principal.oid)
    if caller is None:
        raise GraphError("ErrorInvalidUser", f"The requested user '{principal.upn}' is invalid.")
    by_address = settings.users_by_address and caller.owns(name or "")
    if name is None or by_address or name.casefold() in (caller.oid, caller.upn.casefold()):
        if not principal.scopes & {*need.value, *_shared(need)}:
            raise _denied(need)
        return _usable(caller, need)
    if need is Need.PROFILE:
        return _profile_of_another(principal, name, directory, settings)
    if not principal.scopes & _shared(need):
        raise _denied(need)
    other = _find(name, need, principal, directory, settings)
    if not any(caller.has_full_access_to(address) for address in other.addresses):
        raise _denied(need)
    return _usable(other, need)


def _profile_of_another(
    principal: Principal, name: str, directory: Directory, settings: MailSettings
) -> User:
    if not principal.scopes & (set(Need.PROFILE.value) - {"User.Read"}):
        raise _denied(Need.PROFILE)
    return _find(name, Need.PROFILE, principal, directory, settings)


def _for_application(
    principal: Principal,
    name: str | None,
    need: Need,
    directory: Directory,
    settings: MailSettings,
) -> User:
    if name is None:
        raise GraphError(
            "BadRequest", "/me request is only valid with delegated authentication flow."
        )
    app = directory.app(principal.client_id)
    by_entra = bool(principal.roles & set(need.value))
    by_exchange = app is not None and bool(app.exchange_roles)
    if app is None or not (by_entra or by_exchange):
        raise _denied(need)
    box = _find(name, need, principal, directory, settings)
    if any(app.in_exchange_scope(role, box) for role in _exchange_roles(need)):
        return _usable(box, need)
    if not by_entra:
        raise _denied(need)
    allowed = settings.access_policies.get(principal.client_id)
    if allowed is not None and not any(box.owns(address) for address in allowed):
        raise GraphError("ErrorAccessDenied", BLOCKED_BY_POLICY)
    return _usable(box, need)


def _find(
    name: str, need: Need, principal: Principal, directory: Directory, settings: MailSettings
) -> User:
    """By object id or UPN, and by address where `settings` say so; a group is not a user."""
    user = directory.user(name)
    if user is None and settings.users_by_address:
        user = directory.owner_of(name)
    if user and user.tenant_id == principal.tid and user.kind != "distribution-list":
        return user
    if need is Need.PROFILE:
        raise GraphError(
            "Request_ResourceNotFound",
            f"Resource '{name}' does not exist or one of its queried reference-property objects "
            "are not present.",
        )
    raise GraphError("ErrorInvalidUser", f"The requested user '{name}' is invalid.")


def _usable(user: User, need: Need) -> User:
    if need is Need.PROFILE:
        return user
    if user.kind == "no-mailbox":
        raise GraphError("MailboxNotEnabledForRESTAPI")
    if not user.enabled and user.kind != "shared":
        raise GraphError("ErrorAccountDisabled")
    return user


def _shared(need: Need) -> set[str]:
    return {f"{permission}.Shared" for permission in need.value}


def _exchange_roles(need: Need) -> list[str]:
    full = ["Application Exchange Full Access", "Application Mail Full Access"]
    return full + [f"Application {permission}" for permission in need.value]


def _denied(need: Need) -> GraphError:
    return GraphError(
        "Authorization_RequestDenied" if need is Need.PROFILE else "ErrorAccessDenied"
    )
