"""A message: what it says, its files, and once more."""

import asyncio
import base64
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from graphrelay.console.options import ConfiguredKey
from graphrelay.console.pages.message import conditions
from graphrelay.control.verb import Asker, Output, VerbError
from tests.console.conftest import IN_FORCE, Opening
from tests.console.test_connections import SOON, request_by
from tests.console.test_guard import MESSAGE, ROW

IMAGE = {
    "number": 1,
    "name": "logo.png",
    "type": "image/png",
    "size": 4,
    "content_id": "logo@x",
    "inline": True,
}
CONTENT = {
    "kind": "content",
    "fields": [["Subject", "x"]],
    "text": "<p>Hello<script>alert(1)</script><iframe src=//evil.example></iframe>"
    '<img src="cid:logo@x">',
    "is_html": True,
    "cut": False,
    "files": [IMAGE, {**IMAGE, "number": 2, "content_id": "", "name": "a.svg"}],
    "sealed": "",
}
FILE: list[Output] = [
    {"kind": "file", "name": "Résumé.pdf", "type": "application/pdf", "size": 8},
    {"kind": "octets", "base64": base64.b64encode(b"%PDF").decode()},
    {"kind": "octets", "base64": base64.b64encode(b"-1.7").decode()},
]


async def test_the_frame_has_its_own_policy_and_only_the_console_frames_it(
    opening: Opening,
) -> None:
    opened = await opening(queue_content=[CONTENT], queue_file=FILE)
    vera = await opened.viewer()
    page = await vera.get("/message/X/content")
    assert 'src="/message/X/html"' in page.text
    assert 'sandbox=""' in page.text
    assert "alert(1)" not in page.text
    answer = await vera.get("/message/X/html")
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; ")
    assert answer.headers["Content-Security-Policy"].endswith("; sandbox")
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert "<x-iframe" in answer.text
    assert 'src="data:image/png;base64,' in answer.text
    assert len(opened.verbs.calls("queue-file")) == 1, "only what the text shows"


async def test_who_reads_a_message_or_a_file_is_in_the_journal(opening: Opening) -> None:
    opened = await opening(queue_content=[CONTENT], queue_file=FILE)
    vera = await opened.viewer()
    await vera.get("/message/X/content")
    await vera.get("/message/X/html")
    await vera.get("/message/X/2/files/3")
    acted = [(one["who"], one["what"], one["on"]) for one in opened.events("acted")]
    assert acted == [
        ("vera", "read the text of", "X"),
        ("vera", "read the HTML of", "X"),
        ("vera", "download file 3 of", "X/2"),
    ]


async def test_a_file_is_saved_and_never_shown_by_the_browser(opening: Opening) -> None:
    opened = await opening(queue_file=FILE)
    answer = await (await opened.viewer()).get("/message/X/files/1")
    assert answer.text == "%PDF-1.7"
    assert answer.headers["Content-Length"] == "8"
    disposition = answer.headers["Content-Disposition"]
    assert disposition.startswith('attachment; filename="R_sum_.pdf"')
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert opened.verbs.calls("queue-file") == [{"queue_id": "X", "number": 1}]


async def test_a_file_that_cannot_be_read_to_its_end_is_no_complete_download(
    opening: Opening, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(_: Mapping[str, Any], _ask: Asker) -> AsyncIterator[Output]:
        yield {**FILE[0], "size": 100}
        yield FILE[1]
        raise VerbError("the disk is gone")

    opened = await opening()
    opened.verbs["queue-file"] = broken
    asked = request_by(opened, await opened.viewer(), "/message/X/files/1")
    host, _, port = opened.console.address.rpartition(":")
    with caplog.at_level(logging.WARNING):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(asked)
        answer = await asyncio.wait_for(reader.read(), SOON)
        writer.close()
    assert answer.partition(b"\r\n\r\n")[2] == b"%PDF"
    assert not caplog.records


async def test_a_message_that_is_done_is_sent_again_after_a_question(opening: Opening) -> None:
    done = {**MESSAGE, "parts": [{**MESSAGE["parts"][0], "state": "relayed"}]}
    opened = await opening(queue_show=[done], resend=[{"queue_id": "NEW"}])
    otto = await opened.operator()
    assert "Send again" in (await otto.get("/message/X")).text
    assert "Send X again?" in (await otto.post("/message/X/resend")).text
    assert opened.verbs.calls("resend") == []
    answer = await otto.post("/message/X/resend", {"sure": "yes", "reason": "lost"})
    assert (answer.status, answer.headers["Location"]) == (303, "/message/NEW")
    assert opened.verbs.calls("resend") == [{"queue_id": "X", "reason": "lost (by otto)"}]
    vera = await opened.viewer()
    assert "Send again" not in (await vera.get("/message/X")).text
    assert (await vera.post("/message/X/resend", {"sure": "yes"})).status == 403


async def test_a_message_says_why_its_route_took_it(
    opening: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = (
        ConfiguredKey("routes[0].name", '"shop"', "line 8"),
        ConfiguredKey("routes[0].sender", '["*@shop.example"]', "line 9"),
        ConfiguredKey("routes[0].login", '["<b>"]', "line 9"),
        ConfiguredKey("routes[0].client", "[]", "default"),
        ConfiguredKey("routes[0].account", '"website"', "line 10"),
        ConfiguredKey("routes[1].name", "unset", "default"),
        ConfiguredKey("routes[1].client", '["10.0.0.0/8"]', "line 12"),
        ConfiguredKey("log.level", '"info"', "default"),
    )
    assert conditions(keys) == {
        "shop": 'sender = ["*@shop.example"], login = ["<b>"]',
        "routes[1]": 'client = ["10.0.0.0/8"]',
    }
    part = {**MESSAGE["parts"][0], "route": "shop"}
    opened = await opening(queue_show=[{**MESSAGE, "parts": [part]}])
    monkeypatch.setattr(opened.console._desk, "in_force", lambda: replace(IN_FORCE, keys=keys))
    text = (await (await opened.viewer()).get("/message/X")).text
    assert "It takes mail with <bdi>sender = [&#34;*@shop.example&#34;]" in text
    assert "&lt;b&gt;" in text


async def test_what_waits_or_is_not_kept_is_not_sent_again(opening: Opening) -> None:
    opened = await opening(queue_show=[MESSAGE])
    assert "Send again" not in (await (await opened.operator()).get("/message/X")).text
    assert opened.verbs.calls("queue-show") == [{"queue_id": "X"}]


async def test_a_part_has_a_page_and_its_row_in_the_log_leads_there(opening: Opening) -> None:
    row = {**ROW, "queue_id": "X/2", "outcome": "failed", "octets_kept": True, "id": 1}
    opened = await opening(queue_show=[MESSAGE], log=[row])
    otto = await opened.operator()
    page = (await otto.get("/log")).text
    assert 'href="/message/X/2"' in page
    assert 'action="/message/X/2/resend"' in page
    assert (await otto.get("/message/X/2")).status == 200
