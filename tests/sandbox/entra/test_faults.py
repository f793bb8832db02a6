"""Each refusal of Entra ID can be switched on, for all requests or for some."""

import pytest

from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.directory import PUBLIC_CLIENT
from graphrelay.sandbox.entra.aadsts import KNOWN
from graphrelay.sandbox.entra.faults import EntraError, RefreshOnce
from tests.sandbox.entra.client import Client, refused


@pytest.mark.parametrize("code", sorted(KNOWN))
async def test_every_known_refusal_can_be_switched_on(
    cloud: Sandbox, client: Client, code: int
) -> None:
    cloud.faults.on(EntraError(aadsts=code, times=1, retry_after="7"))
    answer = await client.token(grant_type="refresh_token")
    known = KNOWN[code]
    assert refused(answer) == (known.status, known.error, code)
    assert answer.json().get("suberror", "") == known.suberror
    assert answer.headers["Retry-After"] == "7"
    assert "{" not in answer.json()["error_description"]


async def test_a_fault_can_be_limited_to_a_grant_and_a_client(
    cloud: Sandbox, client: Client
) -> None:
    cloud.faults.on(EntraError(aadsts=90033, grant_type="refresh_token", client_id=PUBLIC_CLIENT))
    body = await client.tokens()
    assert refused(await client.refresh(body["refresh_token"])) == (
        503,
        "temporarily_unavailable",
        90033,
    )


async def test_a_fault_may_name_the_error_itself(cloud: Sandbox, client: Client) -> None:
    cloud.faults.on(
        EntraError(aadsts=50076, error="interaction_required", suberror="bad_token", status=429)
    )
    answer = await client.token()
    assert refused(answer) == (429, "interaction_required", 50076)
    assert answer.json()["suberror"] == "bad_token"


async def test_a_refresh_token_that_is_used_twice_ends_its_whole_family(
    cloud: Sandbox, client: Client
) -> None:
    cloud.faults.on(RefreshOnce())
    first, stranger = await client.tokens(), await client.tokens()
    second = (await client.refresh(first["refresh_token"])).json()
    again = await client.refresh(first["refresh_token"])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert (await client.refresh(second["refresh_token"])).status_code == 400
    assert (await client.refresh(stranger["refresh_token"])).status_code == 200
