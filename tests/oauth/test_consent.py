"""The table of permissions: complete, correct, and in agreement with the documents."""

import re
from itertools import product
from pathlib import Path
from uuid import UUID

import pytest

from graphrelay.oauth.consent import GRANTABLE, GRAPH, for_admins, id_of, to_grant
from graphrelay.oauth.scenario import (
    Account,
    AccountOptions,
    AnyUser,
    ManagedIdentity,
    PermissionKind,
    Personal,
    Scenario,
    ScopedUsers,
    SendAsUser,
    permissions,
)

PAGE = (Path(__file__).parents[2] / "docs" / "scenarios.md").read_text("utf-8")
APPLICATION = AnyUser(ManagedIdentity(None))
EVERY: list[Scenario] = [
    SendAsUser("wp@contoso.com", shared=True),
    Personal("me@outlook.com"),
    APPLICATION,
    ScopedUsers(ManagedIdentity(None)),
]
OPTIONS = [
    AccountOptions(large_messages=large, exact_once=exact, bounces=bounces)
    for large, exact, bounces in product((False, True), repeat=3)
]


def needed(scenario: Scenario, options: AccountOptions) -> tuple[str, ...]:
    account = Account("a", "contoso.com", "id", scenario, options=options)
    return for_admins(permissions(account))


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("scenario", EVERY)
def test_every_permission_that_a_scenario_may_need_has_an_id(
    scenario: Scenario, options: AccountOptions
) -> None:
    found = permissions(Account("a", "contoso.com", "id", scenario, options=options))
    for permission in found:
        if permission.kind is not PermissionKind.EXCHANGE_ROLE:
            assert UUID(id_of(permission.name, permission.kind).partition("=")[0])
    assert set(to_grant(found)) <= set(GRANTABLE)


def test_no_two_permissions_have_the_same_id() -> None:
    ids = [one for row in GRANTABLE.values() for one in (row.scope_id, row.role_id) if one]
    assert len({GRAPH, *ids}) == 1 + len(ids)


def test_users_may_consent_to_sending_alone() -> None:
    user = SendAsUser("wp@contoso.com")
    assert needed(user, AccountOptions()) == ()
    assert needed(user, AccountOptions(bounces=True)) == ("Mail.Read",)
    assert needed(user, AccountOptions(exact_once=True)) == ("Mail.ReadWrite",)
    shared = SendAsUser("wp@contoso.com", shared=True)
    assert needed(shared, AccountOptions()) == ("Mail.Send.Shared",)
    assert needed(APPLICATION, AccountOptions()) == ("Mail.Send",)
    assert needed(ScopedUsers(ManagedIdentity(None)), AccountOptions()) == ()


def test_a_sign_in_is_granted_what_it_asks_for() -> None:
    """Otherwise "Need admin approval" appears even after an admin's consent."""
    found = to_grant(permissions(Account("a", "t", "c", SendAsUser("wp@contoso.com"))))
    assert found == ("Mail.Send", "offline_access", "openid", "profile")


def test_the_page_says_of_each_permission_who_may_consent() -> None:
    rows = re.findall(r"^\| `([A-Za-z_.]+)` \| (a user|an admin) \|", PAGE, re.MULTILINE)
    told = {name: who == "a user" for name, who in rows}
    assert told == {name: one.users_may_consent for name, one in GRANTABLE.items()}
