"""The grants of one account, and how Entra's answers are interpreted."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from graphrelay.oauth.answers import EntraUnreachable, TokenRefused
from graphrelay.oauth.cloud import TokenCloud
from graphrelay.oauth.entra.grants import DEFAULT_LIFE, LONGEST_LIFE, Grants
from graphrelay.oauth.entra.responses import NotYet, TokenResponse
from graphrelay.oauth.scenario import Account, Personal
from graphrelay.sandbox.directory import PUBLIC_CLIENT
from graphrelay.sandbox.faults import Answer
from tests.oauth.conftest import DAEMON, WEBSITE, World

PERSONAL = Account("home", "", PUBLIC_CLIENT, Personal("wp@outlook.com"))


def grants(world: World, account: Account) -> Grants:
    cloud = TokenCloud(world.cloud.login_url, world.cloud.graph_url)
    return Grants(account, cloud, world.http(), world.clock)


def answered(world: World, **fields: Any) -> Answer:
    """From now on Entra answers token requests so."""
    fault = Answer(status=200, body=json.dumps(fields), part="entra")
    world.cloud.faults.on(fault)
    return fault


async def minted(work: Callable[[], Any]) -> TokenResponse:
    result = await asyncio.to_thread(work)
    assert isinstance(result, TokenResponse), result
    return result


@pytest.mark.parametrize(
    ("fields", "life"),
    [
        ({"expires_in": 3599}, timedelta(seconds=3599)),
        ({"expires_in": "86399"}, timedelta(seconds=86_399)),
        ({"expires_in": -1}, timedelta(0)),
        ({}, DEFAULT_LIFE),
        ({"expires_in": "soon"}, DEFAULT_LIFE),
        ({"expires_in": 10**12}, LONGEST_LIFE),
    ],
)
async def test_a_token_lives_as_long_as_entra_says(
    world: World, fields: dict[str, object], life: timedelta
) -> None:
    daemon = grants(world, DAEMON)
    await minted(daemon.by_credential)
    answered(world, access_token="x", token_type="Bearer", **fields)
    access = (await minted(daemon.by_credential)).access
    assert access.obtained_at == world.clock.now()
    assert access.life == life
    daemon.close()


async def test_an_answer_without_a_token_is_no_answer(world: World) -> None:
    daemon = grants(world, DAEMON)
    await minted(daemon.by_credential)
    answered(world, token_type="Bearer", expires_in=3599)
    result = await asyncio.to_thread(daemon.by_credential)
    assert isinstance(result, EntraUnreachable)
    assert "no access token" in result.reason
    daemon.close()


async def test_what_is_asked_for_is_what_the_scenario_needs(world: World) -> None:
    website = grants(world, WEBSITE)
    assert website.scopes == ("Mail.Send",)
    request = await asyncio.to_thread(website.begin_code, "http://localhost:1")
    assert f"{world.cloud.graph_url}/Mail.Send".replace(":", "%3A").replace("/", "%2F") in (
        getattr(request, "url", "")
    )
    website.close()


async def test_a_device_code_waits_and_slows_down_when_asked(world: World) -> None:
    website = grants(world, WEBSITE)
    request = await asyncio.to_thread(website.begin_device)
    assert not isinstance(request, TokenRefused | EntraUnreachable), request
    interval = timedelta(seconds=5)

    def poll() -> object:
        return website.poll_device(request, interval)

    assert await asyncio.to_thread(poll) == NotYet(interval)
    body = json.dumps({"error": "slow_down"})
    world.cloud.faults.on(Answer(status=400, body=body, part="entra"))
    assert await asyncio.to_thread(poll) == NotYet(interval + timedelta(seconds=5))
    website.close()


async def test_the_last_answer_is_shown_without_its_secrets(world: World) -> None:
    daemon = grants(world, DAEMON)
    assert daemon.last_answer() == {}
    await minted(daemon.by_credential)
    answered(
        world, access_token="secret", refresh_token="another", scope="a/Mail.Send", expires_in=1
    )
    await minted(daemon.by_credential)
    assert daemon.last_answer() == {
        "access_token": "(6 characters)",
        "refresh_token": "(7 characters)",
        "scope": "a/Mail.Send",
        "expires_in": 1,
    }
    daemon.close()
