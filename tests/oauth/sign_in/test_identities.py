"""A person is a user of the account's tenant, by an ID token for its application."""

import pytest

from graphrelay.oauth.entra.responses import CodeRequest
from graphrelay.oauth.sign_in.identities import Identities, Person, Unidentified
from graphrelay.oauth.sign_in.loopback import query_of
from graphrelay.sandbox.directory import CONSOLE_REDIRECT
from graphrelay.sandbox.entra.faults import ChangedAnswer, EntraError
from graphrelay.sandbox.visitor import Visitor
from tests.oauth.conftest import World

ALICE = "alice@contoso.com"


async def came_back(world: World, account: str = "website") -> Person | Unidentified:
    identities = Identities(world.manager())
    request = await identities.begin(account, CONSOLE_REDIRECT)
    assert isinstance(request, CodeRequest)
    async with Visitor(world.cloud.ca_file) as visitor:
        answer = query_of(await visitor.sign_in(request.url, ALICE))
    return await identities.identify(account, request, answer)


@pytest.mark.parametrize("account", ["website", "daemon"])
async def test_a_user_of_the_tenant_is_known_by_object_id_and_name(
    world: World, account: str
) -> None:
    alice = world.cloud.directory.user(ALICE)
    assert alice
    assert await came_back(world, account) == Person(alice.oid, ALICE)


async def test_another_tenant_is_refused_however_it_calls_the_user(world: World) -> None:
    world.cloud.faults.on(
        ChangedAnswer(
            member="tid", value='"9188040d-6c67-4c5b-b112-36a304b66dad"', in_id_token=True
        )
    )
    found = await came_back(world)
    assert isinstance(found, Unidentified)
    assert "another tenant (9188040d" in found.reason


async def test_what_entra_refuses_is_said(world: World) -> None:
    world.cloud.faults.on(EntraError(aadsts=7000215))
    found = await came_back(world)
    assert isinstance(found, Unidentified)
    assert found.reason.startswith("Microsoft refused: AADSTS7000215")


async def test_an_account_that_is_gone_signs_nobody_in(world: World) -> None:
    identities = Identities(world.manager())
    found = await identities.begin("gone", CONSOLE_REDIRECT)
    assert found == Unidentified('No account is named "gone" any more.')
