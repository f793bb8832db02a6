"""Whatever comes back from Entra is an answer, a refusal, or no answer; nothing is raised."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from graphrelay.oauth.answers import EntraUnreachable, TokenRefused
from graphrelay.oauth.cloud import TokenCloud
from graphrelay.oauth.entra.msal_client import Entra
from graphrelay.oauth.entra.refusals import PASSING_CODES
from graphrelay.sandbox.directory import CLIENT_SECRET
from graphrelay.sandbox.entra.aadsts import KNOWN
from graphrelay.sandbox.entra.faults import EntraError
from graphrelay.sandbox.faults import Answer
from tests.oauth.conftest import DAEMON, World


@pytest.fixture
async def entra(world: World) -> AsyncIterator[Entra]:
    """The application's, which has discovered its tenant."""
    cloud = TokenCloud(world.cloud.login_url, world.cloud.graph_url)
    entra = Entra(DAEMON, cloud, world.http(), world.clock)
    assert "access_token" in await ask(entra, world)
    yield entra
    entra.close()


async def ask(entra: Entra, world: World, *secrets: str) -> Any:
    scope = f"{world.cloud.graph_url}/.default"
    return await asyncio.to_thread(
        entra.ask, lambda app: app.acquire_token_for_client([scope]), secrets
    )


def answered(world: World, status: int, body: str, **headers: str) -> None:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    world.cloud.faults.on(Answer(status=status, body=body, headers=named, part="entra"))


async def test_a_refusal_is_not_remembered(entra: Entra, world: World) -> None:
    fault = Answer(status=400, body='{"error":"invalid_client"}', part="entra")
    world.cloud.faults.on(fault)
    assert isinstance(await ask(entra, world), TokenRefused)
    world.cloud.faults.off(fault)
    assert "access_token" in await ask(entra, world)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (503, "<html>Service unavailable"),
        (500, '{"error":"server_error"}'),
        (429, '{"error":"throttled"}'),
        (400, '{"error":"temporarily_unavailable"}'),
        (400, '{"error":"invalid_request","error_codes":[90033]}'),
    ],
)
async def test_entras_own_failure_is_not_a_refusal(
    entra: Entra, world: World, status: int, body: str
) -> None:
    answered(world, status, body, Retry_After="120")
    result = await ask(entra, world)
    assert isinstance(result, EntraUnreachable), result
    assert result.retry_after == timedelta(seconds=120)


@pytest.mark.parametrize("number", sorted(PASSING_CODES & KNOWN.keys()))
async def test_a_temporary_refusal_is_not_a_refusal(
    entra: Entra, world: World, number: int
) -> None:
    world.cloud.faults.on(EntraError(aadsts=number, times=1))
    assert isinstance(await ask(entra, world), EntraUnreachable)
    assert "access_token" in await ask(entra, world)


@pytest.mark.parametrize("body", ["", "<html>", "[" * 30_000, "null", '"x"', "[]"])
async def test_what_is_not_oauth_says_so(entra: Entra, world: World, body: str) -> None:
    answered(world, 400, body)
    result = await ask(entra, world)
    assert isinstance(result, EntraUnreachable), result
    assert result.reason.startswith(f"{entra.host}")


async def test_what_was_sent_is_not_quoted(entra: Entra, world: World) -> None:
    text = f"Bad {CLIENT_SECRET} and a-refresh-token."
    answered(world, 401, json.dumps({"error": "invalid_client", "error_description": text}))
    result = await ask(entra, world, "a-refresh-token")
    assert isinstance(result, TokenRefused)
    assert result.description == "Bad … and …."


@pytest.mark.parametrize(("minutes", "which"), [(-30, "ahead of"), (30, "behind")])
async def test_a_clock_that_is_wrong_is_named_by_how_much(
    entra: Entra, world: World, minutes: int, which: str
) -> None:
    theirs = world.clock.now() + timedelta(minutes=minutes)
    body = json.dumps({"error": "invalid_client", "error_codes": [700024]})
    answered(world, 401, body, Date=f"{theirs:%a, %d %b %Y %H:%M:%S} GMT")
    result = await ask(entra, world)
    assert isinstance(result, TokenRefused)
    assert f"clock is 0:30:00 {which} Entra's" in result.remedy
