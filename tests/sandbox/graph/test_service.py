"""The order of a request: token, path, permission, gate, endpoint."""

import pytest

from tests.sandbox.world import World, code_of, message


@pytest.mark.parametrize(
    ("token", "text"),
    [
        (None, "Access token is empty."),
        ("nonsense", "CompactToken parsing failed with error code: 80049217"),
    ],
)
async def test_without_a_good_token_the_answer_is_401(
    world: World, token: str | None, text: str
) -> None:
    graph = await world.holder_of(token)
    answer = await graph.send(message())
    assert (answer.status_code, code_of(answer)) == (401, "InvalidAuthenticationToken")
    assert answer.json()["error"]["message"] == text
    assert answer.headers["www-authenticate"].startswith('Bearer realm=""')


async def test_who_asks_comes_before_what_is_asked(world: World) -> None:
    graph = await world.holder_of(None)
    assert (await graph.http.get("/me/nothing")).status_code == 401


async def test_unknown_paths_and_methods(world: World) -> None:
    graph = await world.user(scopes="Mail.ReadWrite Mail.Send")
    answer = await graph.http.get("/me/sendMailx")
    assert (answer.status_code, code_of(answer)) == (400, "BadRequest")
    assert "'sendMailx'" in answer.json()["error"]["message"]
    assert (await graph.http.get("/groups/x")).status_code == 400
    assert (await graph.http.get("/me/sendMail")).status_code == 405
    assert (await graph.http.put("/me/messages/x")).status_code == 405


async def test_an_encoded_slash_does_not_lead_to_another_mailbox(world: World) -> None:
    graph = await world.application("Mail.Send")
    answer = await graph.send(message(), "wp@contoso.com%2F..%2Finfo@contoso.com")
    assert (answer.status_code, code_of(answer)) == (404, "ErrorInvalidUser")


async def test_names_in_the_path_ignore_letter_case(world: World) -> None:
    graph = await world.user(scopes="Mail.Read Mail.Send")
    assert (await graph.http.get("/me/MailFolders/SentItems/messages")).status_code == 200
