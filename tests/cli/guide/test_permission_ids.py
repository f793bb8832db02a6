"""The ids of the permissions that scenarios need."""

from itertools import product
from uuid import UUID

import pytest

from graphrelay.cli.guide.permission_ids import GRAPH, ROLES, SCOPES
from graphrelay.oauth.scenario import (
    Account,
    AccountOptions,
    AnyUser,
    Kind,
    ManagedIdentity,
    Personal,
    Scenario,
    SendAsUser,
    permissions,
)

MOST: list[Scenario] = [
    SendAsUser("wp@contoso.com", shared=True),
    Personal("me@outlook.com"),
    AnyUser(ManagedIdentity(None)),
]
OPTIONS = [
    AccountOptions(large_messages=large, exact_once=exact, bounces=bounces)
    for large, exact, bounces in product((False, True), repeat=3)
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("scenario", MOST)
def test_every_permission_that_a_scenario_may_need_has_an_id(
    scenario: Scenario, options: AccountOptions
) -> None:
    for permission in permissions(Account("a", "contoso.com", "id", scenario, options=options)):
        ids = SCOPES if permission.kind is Kind.SCOPE else ROLES
        assert UUID(ids[permission.name])


def test_no_two_permissions_have_the_same_id() -> None:
    assert len({GRAPH, *SCOPES.values(), *ROLES.values()}) == 1 + len(SCOPES) + len(ROLES)
