from graphrelay.sandbox.graph.faults import SlowSentItems
from tests.sandbox.world import Graph, World, code_of, message

SCOPES = "Mail.ReadWrite Mail.Send"


def named(message_id: str, to: str = "you@example.org") -> bytes:
    return message(to).replace(b"<1@example.org>", message_id.encode())


async def found(graph: Graph, where: str, message_id: str) -> list[dict[str, object]]:
    quoted = message_id.replace("'", "''")
    answer = await graph.http.get(
        where,
        params={
            "$filter": f"internetMessageId eq '{quoted}'",
            "$select": "id,isDraft,parentFolderId,sentDateTime",
            "$top": "1",
        },
    )
    assert answer.status_code == 200, answer.text
    value: list[dict[str, object]] = answer.json()["value"]
    return value


async def test_sent_mail_is_found_by_its_message_id(world: World) -> None:
    graph = await world.user(scopes=SCOPES)
    await graph.send(named("<a+b'c=1@example.org>"))
    await graph.send(named("<other@example.org>"))
    for where in ("/me/messages", "/me/mailFolders/sentitems/messages"):
        (one,) = await found(graph, where, "<a+b'c=1@example.org>")
        assert one["isDraft"] is False
        assert one.keys() == {"@odata.etag", "id", "isDraft", "parentFolderId", "sentDateTime"}
    assert await found(graph, "/me/mailFolders/drafts/messages", "<a+b'c=1@example.org>") == []
    assert await found(graph, "/me/messages", "<nothing@example.org>") == []


async def test_a_copy_in_the_own_inbox_is_another_item(world: World) -> None:
    graph = await world.user(scopes=SCOPES)
    await graph.send(named("<self@example.org>", to="wp@contoso.com"))
    assert len(await found(graph, "/me/mailFolders/inbox/messages", "<self@example.org>")) == 1
    answer = await graph.http.get(
        "/me/messages", params={"$filter": "internetMessageId eq '<self@example.org>'"}
    )
    assert len(answer.json()["value"]) == 2


async def test_the_same_message_sent_twice_is_found_twice(world: World) -> None:
    graph = await world.user(scopes=SCOPES)
    for _ in range(2):
        await graph.send(named("<twice@example.org>"))
    answer = await graph.http.get(
        "/me/messages", params={"$filter": "internetMessageId eq '<twice@example.org>'"}
    )
    assert len(answer.json()["value"]) == 2


async def test_what_is_still_being_sent_is_seen_as_a_draft(world: World) -> None:
    graph = await world.user(scopes=SCOPES)
    world.cloud.faults.on(SlowSentItems(lookups=2, times=1))
    await graph.send(named("<slow@example.org>"))
    assert len(world.cloud.mailboxes.submitted) == 1
    (one,) = await found(graph, "/me/messages", "<slow@example.org>")
    assert one["isDraft"] is True
    assert await found(graph, "/me/mailFolders/sentitems/messages", "<slow@example.org>") == []
    (one,) = await found(graph, "/me/mailFolders/sentitems/messages", "<slow@example.org>")
    assert one["isDraft"] is False


async def test_long_lists_come_in_pages_newest_first(world: World) -> None:
    graph = await world.user(scopes=SCOPES)
    for number in range(25):
        await graph.send(named(f"<{number}@example.org>"))
    url: str | None = "/me/messages?$select=internetMessageId"
    seen: list[str] = []
    while url:
        page = (await graph.http.get(url)).json()
        seen += [one["internetMessageId"] for one in page["value"]]
        url = page.get("@odata.nextLink")
    assert seen == [f"<{number}@example.org>" for number in reversed(range(25))]


async def test_folders_are_listed_and_counted(world: World) -> None:
    graph = await world.user(scopes=SCOPES)
    await graph.send(message())
    folders = (await graph.http.get("/me/mailFolders")).json()["value"]
    assert {one["displayName"]: one["totalItemCount"] for one in folders} == {
        "Inbox": 0,
        "Drafts": 0,
        "Sent Items": 1,
        "Deleted Items": 0,
    }
    sent = (await graph.http.get("/me/mailFolders/SentItems")).json()
    by_id = await graph.http.get(f"/me/mailFolders/{sent['id']}/messages")
    assert len(by_id.json()["value"]) == 1
    answer = await graph.http.get("/me/mailFolders/nonsense")
    assert code_of(answer) == "ErrorInvalidIdMalformed"
