import re
from uuid import uuid4

from tests.sandbox.world import World, code_of, message

GUID = re.compile(r"[0-9a-f-]{36}")


async def test_every_answer_carries_the_ids_that_support_asks_for(world: World) -> None:
    graph = await world.user()
    mine = str(uuid4())
    answer = await graph.send(message(), **{"client-request-id": mine})
    assert answer.headers["client-request-id"] == mine
    assert GUID.fullmatch(answer.headers["request-id"])
    assert "ServerInfo" in answer.headers["x-ms-ags-diagnostic"]
    assert answer.headers["cache-control"] == "private"
    assert "max-age" in answer.headers["strict-transport-security"]
    mail = world.cloud.mailboxes.submitted[0]
    assert (mail.client_request_id, mail.request_id) == (mine, answer.headers["request-id"])


async def test_a_client_request_id_that_is_no_guid_does_not_come_back(world: World) -> None:
    graph = await world.user()
    answer = await graph.send(message(), **{"client-request-id": "queue-17"})
    assert GUID.fullmatch(answer.headers["client-request-id"])


async def test_errors_of_the_gateway_have_an_inner_error_and_those_of_exchange_do_not(
    world: World,
) -> None:
    graph = await world.user()
    mine = str(uuid4())
    answer = await graph.http.get("/me/nothing", headers={"client-request-id": mine})
    assert (answer.status_code, code_of(answer)) == (400, "BadRequest")
    inner = answer.json()["error"]["innerError"]
    assert inner["client-request-id"] == mine
    assert inner["request-id"] == answer.headers["request-id"]
    answer = await graph.send(message("nobody"))
    assert "innerError" not in answer.json()["error"]
    assert answer.headers["request-id"]


async def test_the_preference_for_immutable_ids_is_applied(world: World) -> None:
    graph = await world.user(scopes="Mail.ReadWrite")
    answer = await graph.http.get("/me/messages", headers={"Prefer": 'IdType="ImmutableId"'})
    assert answer.headers["preference-applied"] == 'IdType="ImmutableId"'
    answer = await graph.http.get("/me/messages")
    assert "preference-applied" not in answer.headers
