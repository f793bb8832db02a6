"""Filters and options are understood completely, or refused."""

import pytest

from tests.sandbox.world import World, code_of, message

SCOPES = "Mail.ReadWrite Mail.Send"


async def test_filters_are_joined_with_and(world: World) -> None:
    graph = await world.user(scopes=SCOPES)
    await graph.send(message().replace(b"<1@example.org>", b"<a@example.org>"))
    for draft, count in (("false", 1), ("true", 0)):
        answer = await graph.http.get(
            "/me/messages",
            params={
                "$filter": f"isDraft eq {draft} and internetMessageId eq '<a@example.org>' and "
                "sentDateTime ge 2020-01-01T00:00:00Z"
            },
        )
        assert len(answer.json()["value"]) == count


@pytest.mark.parametrize(
    "query",
    [
        {"$filter": "internetMessageId = '<a@b>'"},
        {"$filter": "messageId eq '<a@b>'"},
        {"$filter": "internetMessageId eq <a@b>"},
        {"$filter": "internetMessageId eq '<a@b>' or isDraft eq true"},
        {"$filter": "isDraft eq 'false'"},
        {"$filter": "contains(subject, 'x')"},
        {"$search": "x"},
        {"$top": "0"},
        {"$top": "1001"},
        {"$select": "id,messageid"},
    ],
)
async def test_what_is_not_understood_is_refused_and_never_ignored(
    world: World, query: dict[str, str]
) -> None:
    graph = await world.user(scopes=SCOPES)
    await graph.send(message())
    answer = await graph.http.get("/me/messages", params=query)
    assert (answer.status_code, code_of(answer)) in (
        (400, "BadRequest"),
        (400, "RequestBodyRead"),
    )


async def test_extended_properties_are_shown_where_they_are_asked_for(world: World) -> None:
    graph = await world.user(scopes=SCOPES)
    await graph.send(message())
    query = {"$expand": "singleValueExtendedProperties($filter=id eq 'String 0x001A')"}
    (item,) = (await graph.http.get("/me/messages", params=query)).json()["value"]
    assert item["singleValueExtendedProperties"] == [{"id": "String 0x1a", "value": "IPM.Note"}]
    answer = await graph.http.get("/me/messages", params={"$expand": "attachments"})
    assert (answer.status_code, code_of(answer)) == (400, "BadRequest")
