"""HTML that anybody may have written, in a frame."""

import pytest

from graphrelay.console.mail_html import MAIL_POLICY, framed
from tests.console.conftest import Opening

CONTENT = {
    "kind": "content",
    "fields": [["Subject", "x"]],
    "text": "<p>Hello<script>alert(1)</script><iframe src=//evil.example></iframe>",
    "is_html": True,
    "cut": False,
    "files": [],
    "sealed": "",
}


@pytest.mark.parametrize("name", ["iframe", "OBJECT", "embed", "base", "link", "meta", "frame"])
def test_elements_that_no_reader_shows_are_renamed(name: str) -> None:
    shown = framed(f"<p>a<{name} src=x></{name}>")
    assert f"<p>a<x-{name} src=x></x-{name}>" in shown


def test_nothing_runs_loads_or_sends_in_the_frame() -> None:
    for rule in ("default-src 'none'", "form-action 'none'", "base-uri 'none'"):
        assert rule in MAIL_POLICY
    assert MAIL_POLICY.endswith("; sandbox"), "it allows nothing"


async def test_the_frame_has_its_own_policy_and_only_the_console_frames_it(
    opening: Opening,
) -> None:
    opened = await opening(queue_content=[CONTENT])
    vera = await opened.viewer()
    page = await vera.get("/message/X/content")
    assert 'src="/message/X/html"' in page.text
    assert 'sandbox=""' in page.text
    assert "alert(1)" not in page.text
    answer = await vera.get("/message/X/html")
    assert answer.headers["Content-Security-Policy"] == MAIL_POLICY
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert "<x-iframe" in answer.text


async def test_who_reads_a_message_is_in_the_journal(opening: Opening) -> None:
    opened = await opening(queue_content=[CONTENT])
    vera = await opened.viewer()
    await vera.get("/message/X/content")
    assert opened.events("acted") == [
        {"who": "vera", "client": "127.0.0.1", "what": "read the text of", "on": "X"}
    ]
