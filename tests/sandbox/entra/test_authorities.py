import pytest

from graphrelay.sandbox.directory import (
    CONTOSO,
    MSA_TENANT,
    PUBLIC_CLIENT,
    App,
    Audience,
    Tenant,
    contoso,
)
from graphrelay.sandbox.entra.authorities import app_at, resolve
from graphrelay.sandbox.entra.errors import Refused


@pytest.mark.parametrize("segment", [CONTOSO, "contoso.onmicrosoft.com", "Contoso.COM"])
def test_a_tenant_is_named_by_guid_or_domain(segment: str) -> None:
    authority = resolve(segment, contoso())
    assert authority.tenant is not None
    assert authority.tenant.id == CONTOSO


@pytest.mark.parametrize("segment", ["consumers", MSA_TENANT])
def test_consumers_is_a_tenant_too(segment: str) -> None:
    assert resolve(segment, contoso()).consumers


def test_common_and_organizations_are_no_tenant() -> None:
    for segment in ("common", "organizations"):
        assert resolve(segment, contoso()).tenant is None


@pytest.mark.parametrize(
    ("segment", "code"),
    [
        ("fabrikam.com", 90002),
        ("7d2f0a4e-0000-4000-8000-000000000000", 90002),
        ("nonsense", 900023),
    ],
)
def test_an_unknown_tenant_is_refused(segment: str, code: int) -> None:
    with pytest.raises(Refused) as refused:
        resolve(segment, contoso())
    assert refused.value.code == code


def test_a_tenant_that_went_away_is_unknown() -> None:
    directory = contoso()
    directory.tenants[0].exists = False
    with pytest.raises(Refused, match="90002"):
        resolve("contoso.com", directory)


@pytest.mark.parametrize(
    ("audience", "segment", "code"),
    [
        ("AzureADMyOrg", "contoso.com", None),
        ("AzureADMyOrg", "fabrikam.com", 700016),
        ("AzureADMyOrg", "common", 50194),
        ("AzureADMyOrg", "organizations", 50194),
        ("AzureADMyOrg", "consumers", 9002332),
        ("AzureADMultipleOrgs", "fabrikam.com", None),
        ("AzureADMultipleOrgs", "common", None),
        ("AzureADMultipleOrgs", "consumers", 9002332),
        ("AzureADandPersonalMicrosoftAccount", "common", None),
        ("AzureADandPersonalMicrosoftAccount", "consumers", None),
        ("PersonalMicrosoftAccount", "consumers", None),
        ("PersonalMicrosoftAccount", "contoso.com", 9002331),
    ],
)
def test_the_audience_says_where_an_application_is_known(
    audience: Audience, segment: str, code: int | None
) -> None:
    directory = contoso()
    directory.tenants.append(Tenant(id="f", name="Fabrikam", domains=["fabrikam.com"]))
    app = App(display_name="one", tenant_id=CONTOSO, audience=audience)
    directory.apps.append(app)
    authority = resolve(segment, directory)
    if code is None:
        assert app_at(authority, app.client_id, directory) is app
        return
    with pytest.raises(Refused) as refused:
        app_at(authority, app.client_id, directory)
    assert refused.value.code == code


def test_the_client_id_may_be_in_capitals() -> None:
    directory = contoso()
    assert app_at(resolve("contoso.com", directory), PUBLIC_CLIENT.upper(), directory)
