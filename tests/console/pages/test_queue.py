"""The page Queue: what is asked of the verbs, and what needs confirmation."""

import pytest

from graphrelay.control.verb import said
from tests.console.conftest import Opened, Opening
from tests.console.test_guard import ROW

FILTERED = {"sender": "@contoso.com", "state": "queued"}


async def test_a_filter_is_what_the_verb_is_asked(opened: Opened) -> None:
    vera = await opened.viewer()
    await vera.get("/queue?sender=%40contoso.com&state=queued&route=&odd=1")
    assert opened.verbs.calls("queue-list") == [{**FILTERED, "limit": 101, "count": True}]


async def test_a_long_queue_has_pages(opening: Opening) -> None:
    rows = [{**ROW, "id": number} for number in range(1, 102)]
    total = {"kind": "total", "listed": 101, "total": 5_000}
    opened = await opening(queue_list=[*rows, total])
    vera = await opened.viewer()
    text = (await vera.get("/queue?account=website")).text
    assert "5,000 messages wait that fit. The page shows 100." in text
    assert 'href="/queue?account=website&amp;after=100"' in text
    await vera.get("/queue?account=website&after=100")
    assert opened.verbs.calls("queue-list")[-1]["after_id"] == 100
    assert (await vera.get("/queue?after=x")).status == 400


async def test_why_something_waits_is_beside_it(opening: Opening) -> None:
    opened = await opening(queue_list=[{**ROW, "waits": {"reason": "not authorized",
                                                        "remedy": "Run: x"}}])  # fmt: skip
    text = (await (await opened.viewer()).get("/queue")).text
    assert "<bdi>not authorized</bdi> <bdi>Run: x</bdi>" in text


@pytest.mark.parametrize("what", ["hold", "release", "retry"])
async def test_one_message_is_changed_at_once(opening: Opening, what: str) -> None:
    opened = await opening()
    opened.verbs.answers[f"queue-{what}"] = [{"queue_id": "X", "changed": 1}]
    otto = await opened.operator()
    answer = await otto.post(f"/queue/{what}", {"queue_id": "X", "reason": "odd"})
    assert answer.headers["Location"] == "/message/X"
    assert opened.verbs.calls(f"queue-{what}") == [
        {"what": what, "queue_id": "X", "reason": "odd (by otto)"}
    ]


async def test_a_reason_however_long_says_who_gave_it(opening: Opening) -> None:
    opened = await opening(queue_hold=[{"queue_id": "X", "changed": 1}])
    otto = await opened.operator()
    await otto.post("/queue/hold", {"queue_id": "X", "reason": " a\r\n\0b" + "x" * 50_000})
    [asked] = opened.verbs.calls("queue-hold")
    assert asked["reason"].startswith("a bxxx")
    assert said(asked, "reason").endswith("x… (by otto)")


async def test_deleting_asks_first(opening: Opening) -> None:
    opened = await opening(queue_delete=[{"queue_id": "X", "changed": 1}])
    otto = await opened.operator()
    form = {"queue_id": "X"}
    page = await otto.post("/queue/delete", form)
    assert "Delete X?" in page.text
    assert opened.verbs.calls("queue-delete") == []
    answer = await otto.post("/queue/delete", {**form, "sure": "yes"})
    assert answer.headers["Location"] == "/queue"
    assert opened.verbs.calls("queue-delete") == [
        {"what": "delete", "queue_id": "X", "reason": "by otto"}
    ]


async def test_what_is_done_to_many_says_to_how_many_and_keeps_the_filter(
    opening: Opening,
) -> None:
    opened = await opening(
        queue_list=[ROW, {"kind": "total", "listed": 1, "total": 412}],
        queue_hold=[{"queue_id": "X", "changed": 1}],
    )
    otto = await opened.operator()
    page = await otto.post("/queue/hold", FILTERED)
    assert "Hold 412 messages?" in page.text
    assert 'name="sender" value="@contoso.com"' in page.text
    await otto.post("/queue/hold", {"sure": "yes", **FILTERED})
    assert opened.verbs.calls("queue-hold") == [
        {"what": "hold", "all": True, "reason": "by otto", **FILTERED}
    ]


async def test_what_could_not_be_changed_is_said(opening: Opening) -> None:
    events = [{"queue_id": "X", "changed": 0, "reason": "on its way"}]
    opened = await opening(queue_retry=events)
    otto = await opened.operator()
    answer = await otto.post("/queue/retry", {"sure": "yes"})
    assert answer.status == 409
    assert "X: on its way" in answer.text


async def test_a_change_that_there_is_not_is_refused(opened: Opened) -> None:
    otto = await opened.operator()
    assert (await otto.post("/queue/burn", {"queue_id": "X"})).status == 404
