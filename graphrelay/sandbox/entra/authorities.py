"""The first segment of every URL: whose accounts may sign in there.

| segment | admits |
| --- | --- |
| a tenant's GUID or domain | its users |
| `organizations` | users of every tenant |
| `consumers`, or the GUID that stands for it | personal accounts |
| `common` | everybody |
"""

from dataclasses import dataclass
from uuid import UUID

from graphrelay.sandbox.directory import MSA_TENANT, App, Directory, Tenant, User
from graphrelay.sandbox.entra.errors import Refused


@dataclass(frozen=True, slots=True)
class Authority:
    """A resolved first segment."""

    segment: str
    tenant: Tenant | None
    """The one tenant that it names, or `None` for `common` and `organizations`."""

    @property
    def consumers(self) -> bool:
        return self.tenant is not None and self.tenant.id == MSA_TENANT

    def admits(self, user: User) -> bool:
        if self.tenant is not None:
            return user.tenant_id == self.tenant.id
        return self.segment == "common" or not user.personal

    @property
    def name(self) -> str:
        """Its name in error texts."""
        return self.tenant.name if self.tenant else self.segment


def resolve(segment: str, directory: Directory) -> Authority:
    """The authority of a URL's first segment. Raises `Refused`: 90002, 900023."""
    word = segment.casefold()
    if word in ("common", "organizations"):
        return Authority(word, None)
    tenant = directory.tenant(MSA_TENANT if word == "consumers" else word)
    if tenant is not None:
        return Authority(word, tenant)
    if _is_guid(word) or "." in word:
        raise Refused(90002, tenant=segment)
    raise Refused(900023, tenant=segment)


def app_at(authority: Authority, client_id: str, directory: Directory) -> App:
    """The application as registered there. Raises `Refused` if it is not, or may not be used."""
    if not client_id:
        raise Refused(900144, parameter="client_id")
    app = directory.app(client_id)
    if app is None:
        raise Refused(700016, app=client_id, tenant=authority.name)
    names = {"app": app.client_id, "app_name": app.display_name}
    if not app.enabled:
        raise Refused(7000112, **names)
    if authority.consumers and app.audience in ("AzureADMyOrg", "AzureADMultipleOrgs"):
        raise Refused(9002332, **names)
    if not authority.consumers and app.audience == "PersonalMicrosoftAccount":
        raise Refused(9002331, **names)
    if app.audience == "AzureADMyOrg":
        if authority.tenant is None:
            raise Refused(50194, **names)
        if authority.tenant.id != app.tenant_id:
            raise Refused(700016, app=client_id, tenant=authority.name)
    return app


def _is_guid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
