import json
from typing import Any

import httpx
import pytest

from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.faults import Delay
from graphrelay.sandbox.graph.faults import NonDelivery, Refuse
from tests.sandbox.world import Graph, message

MIXED = b"""\
From: Website <wp@contoso.com>\r
To: =?utf-8?q?K=C3=A4ufer?= <you@example.org>\r
Bcc: hidden@example.org\r
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r
Message-ID: <1@x>\r
Date: Mon, 23 Nov 2026 12:00:00 +0000\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed; boundary=b\r
\r
--b\r
Content-Type: text/html; charset=utf-8\r
\r
<p>Hi <img src="cid:logo@x"><img src='https://tracker.example/1.gif'></p>\r
--b\r
Content-Type: image/png; name=logo.png\r
Content-ID: <logo@x>\r
Content-Disposition: inline\r
Content-Transfer-Encoding: base64\r
\r
iVBORw==\r
--b\r
Content-Type: text/html; name="x<script>.html"\r
Content-Disposition: attachment; filename*=utf-8''%C3%BCber%22.html\r
\r
<script>alert(1)</script>\r
--b--\r
"""


async def messages(page: httpx.AsyncClient, **query: int) -> dict[str, Any]:
    listed: dict[str, Any] = (await page.get("/api/messages", params=query)).json()
    return listed


async def test_an_empty_mailbox_is_an_empty_list(page: httpx.AsyncClient) -> None:
    assert await messages(page) == {"messages": [], "total": 0, "last": 0}


async def test_the_list_has_the_newest_first_and_goes_on_from_a_cursor(
    page: httpx.AsyncClient, graph: Graph
) -> None:
    for _ in range(5):
        await graph.send(message())
    first = await messages(page, limit=2)
    assert [one["number"] for one in first["messages"]] == [5, 4]
    assert (first["total"], first["last"]) == (5, 5)
    older = await messages(page, limit=2, before=4)
    assert [one["number"] for one in older["messages"]] == [3, 2]
    newer = await messages(page, after=3)
    assert [one["number"] for one in newer["messages"]] == [4, 5]


async def test_the_list_shows_what_people_recognise_a_message_by(
    page: httpx.AsyncClient, graph: Graph
) -> None:
    await graph.send(MIXED)
    (one,) = (await messages(page))["messages"]
    assert one["from"] == [{"name": "Website", "address": "wp@contoso.com"}]
    assert [person["address"] for person in one["recipients"]] == [
        "you@example.org",
        "hidden@example.org",
    ]
    assert (one["subject"], one["size"], one["mailbox"]) == ("Grüße", len(MIXED), "wp@contoso.com")
    assert one["has_attachments"] is True


async def test_one_message_is_taken_apart(
    page: httpx.AsyncClient, graph: Graph, cloud: Sandbox
) -> None:
    cloud.faults.on(NonDelivery(recipient="hidden@example.org"))
    await graph.send(MIXED)
    one = (await page.get("/api/messages/1")).json()
    assert one["to"] == [{"name": "Käufer", "address": "you@example.org"}]
    assert one["bcc"] == [{"name": "", "address": "hidden@example.org"}]
    assert one["received"] == ["you@example.org"]
    assert one["bounced"][0]["status"] == "5.1.10"
    assert ["Subject", "Grüße"] in one["headers"]
    assert (one["has_html"], one["remote"], one["text"]) == (True, True, "")
    assert one["changed"] is True
    logo, file = one["attachments"]
    assert (logo["inline"], file["inline"]) == (True, False)
    assert (file["name"], file["type"]) == ('über".html', "text/html")


async def test_the_source_is_there_as_submitted_and_as_delivered(
    page: httpx.AsyncClient, graph: Graph
) -> None:
    await graph.send(MIXED)
    submitted = await page.get("/api/messages/1/raw")
    assert submitted.content == MIXED
    assert submitted.headers["content-disposition"].startswith("attachment;")
    delivered = await page.get("/api/messages/1/raw", params={"of": "delivered"})
    assert delivered.content == MIXED.replace(b"Bcc: hidden@example.org\r\n", b"")


async def test_attachments_are_downloads_and_never_shown(
    page: httpx.AsyncClient, graph: Graph
) -> None:
    await graph.send(MIXED)
    answer = await page.get("/api/messages/1/attachments/1")
    assert answer.content == b"<script>alert(1)</script>"
    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"_ber_.html\"; filename*=UTF-8''%C3%BCber%22.html"
    )
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert (await page.get("/api/messages/1/attachments/2")).status_code == 404


async def test_what_is_not_there_is_not_found(page: httpx.AsyncClient) -> None:
    for path in ("/api/messages/1", "/api/messages/1/raw", "/api/messages/x", "/nothing"):
        assert (await page.get(path)).status_code == 404
    assert (await page.get("/api/messages", params={"limit": "many"})).status_code == 400


async def test_everything_can_be_deleted(page: httpx.AsyncClient, graph: Graph) -> None:
    await graph.send(message())
    assert (await page.delete("/api/messages")).status_code == 204
    assert await messages(page) == {"messages": [], "total": 0, "last": 1}


async def test_without_bodies_the_rest_is_shown(
    page: httpx.AsyncClient, graph: Graph, cloud: Sandbox
) -> None:
    cloud.mailboxes.settings.keep_bodies = False
    await graph.send(MIXED)
    one = (await page.get("/api/messages/1")).json()
    assert (one["kept"], one["subject"], one["attachments"]) == (False, "Grüße", [])
    assert (await page.get("/api/messages/1/raw")).status_code == 410
    assert (await page.get("/api/messages/1/html")).status_code == 410


async def test_faults_are_shown_and_set(page: httpx.AsyncClient, cloud: Sandbox) -> None:
    cloud.faults.on(Delay(seconds=0.5))
    shown = (await page.get("/api/faults")).json()
    assert shown["faults"] == [{"kind": "delay", "seconds": 0.5}]
    assert "refuse" in shown["kinds"]
    wanted = {"kind": "refuse", "code": "ErrorServerBusy", "times": 2}
    answer = await page.put("/api/faults", json={"faults": [wanted]})
    assert (answer.status_code, answer.json()["faults"]) == (200, [wanted])
    assert cloud.faults.active() == (Refuse(code="ErrorServerBusy", times=2),)


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"faults": [{"kind": "no-such"}]}', b'{"faults": [{"kind": "refuse"}]}']
)
async def test_faults_that_are_none_change_nothing(
    page: httpx.AsyncClient, cloud: Sandbox, body: bytes
) -> None:
    cloud.faults.on(Delay(seconds=0.5))
    answer = await page.put(
        "/api/faults", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert cloud.faults.active() == (Delay(seconds=0.5),)


NUMBERS = [
    *(
        '"kind": "delay", "seconds": ' + number
        for number in ("NaN", "1e999", "-1", "1" + "0" * 400)
    ),
    *('"kind": "delay", "seconds": 1, "times": ' + number for number in ("-1", "9" * 5_000)),
    *('"kind": "delay", "seconds": 1, "every": ' + number for number in ("0", "-1")),
    *('"kind": "answer", "status": ' + number for number in ("0", "100", "99999")),
]


@pytest.mark.parametrize("fault", NUMBERS, ids=range(len(NUMBERS)))
async def test_numbers_that_no_fault_can_have_are_refused_in_words(
    page: httpx.AsyncClient, cloud: Sandbox, fault: str
) -> None:
    answer = await page.put("/api/faults", content=f'{{"faults": [{{{fault}}}]}}')
    assert (answer.status_code, cloud.faults.active()) == (400, ())
    assert answer.json()["error"]


async def test_what_cannot_be_read_is_refused_in_words(page: httpx.AsyncClient) -> None:
    deep = await page.put("/api/faults", content="[" * 200_000)
    charset = {"Content-Type": "application/json; charset=none-such"}
    unknown = await page.put("/api/faults", content="{}", headers=charset)
    for answer in (deep, unknown):
        assert answer.status_code == 400
        assert answer.json()["error"]


@pytest.mark.parametrize("name", ["limit", "before", "after"])
@pytest.mark.parametrize("number", ["-1", "NaN", "1e5", "\u0663", "9" * 5_000])
async def test_numbers_that_the_list_cannot_go_by_are_refused_in_words(
    page: httpx.AsyncClient, name: str, number: str
) -> None:
    answer = await page.get("/api/messages", params={name: number})
    assert answer.status_code == 400
    assert answer.text.startswith(f"{name} is a number of up to 15 digits, not ")


@pytest.mark.parametrize("name", ["limit", "before", "after"])
async def test_a_large_number_is_one(page: httpx.AsyncClient, graph: Graph, name: str) -> None:
    answer = await page.get("/api/messages", params={name: "9" * 15})
    assert answer.status_code == 200


@pytest.mark.parametrize("digits", [15, 16, 5_000])
async def test_a_message_of_an_absurd_number_is_not_found(
    page: httpx.AsyncClient, digits: int
) -> None:
    number = "9" * digits
    for path in (f"{number}", f"{number}/raw", f"1/attachments/{number}"):
        assert (await page.get(f"/api/messages/{path}")).status_code == 404


async def test_stats_count_how_often_each_message_was_submitted(
    page: httpx.AsyncClient, graph: Graph
) -> None:
    for number in (1, 1, 2):
        await graph.send(message().replace(b"<1@", f"<{number}@".encode()))
    assert (await page.get("/api/stats")).json() == {
        "submitted": 3,
        "distinct": 2,
        "submissions": {"<1@example.org>": 2, "<2@example.org>": 1},
        "peak_in_flight": {"wp@contoso.com": 1},
    }


async def test_the_page_says_what_the_program_wants_it_to_say(
    page: httpx.AsyncClient, cloud: Sandbox
) -> None:
    cloud.page_note = "curl smtp://127.0.0.1:2525"
    assert (await page.get("/api/about")).json() == {"note": "curl smtp://127.0.0.1:2525"}


async def test_events_come_at_once_and_after_each_change(
    page: httpx.AsyncClient, graph: Graph
) -> None:
    async with page.stream("GET", "/api/events") as events:
        assert events.headers["content-type"] == "text/event-stream"
        lines = events.aiter_lines()
        assert await _event(lines) == {"last": 0, "total": 0}
        await graph.send(message())
        assert await _event(lines) == {"last": 1, "total": 1}
        await page.delete("/api/messages")
        assert await _event(lines) == {"last": 1, "total": 0}


async def _event(lines: Any) -> dict[str, int]:
    async for line in lines:
        if line.startswith("data: "):
            event: dict[str, int] = json.loads(line.removeprefix("data: "))
            return event
    raise AssertionError("the stream ended")
