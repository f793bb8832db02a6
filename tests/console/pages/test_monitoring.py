"""What programs ask for: without signing in, from the networks that are named."""

import json
from ipaddress import ip_network

import pytest

from graphrelay.control.verb import VerbError
from graphrelay.smtp.access.listener import Listener
from tests.console.conftest import STATUS, Opened, Opening, options

PATHS = ("/metrics", "/healthz", "/readyz")
ELSEWHERE = (ip_network("192.0.2.0/24"),)


@pytest.mark.parametrize("path", PATHS)
async def test_this_machine_asks_without_signing_in(opened: Opened, path: str) -> None:
    answer = await (await opened.browser()).get(path)
    assert answer.status == 200


@pytest.mark.parametrize("path", PATHS)
async def test_others_have_to_sign_in(opening: Opening, path: str) -> None:
    opened = await opening(options(metrics_from=ELSEWHERE))
    assert (await (await opened.browser()).get(path)).status == 303
    assert opened.verbs.asked == []
    assert (await (await opened.viewer()).get(path)).status == 200


async def test_who_may_ask_for_metrics_may_do_nothing_else(opening: Opening) -> None:
    here = (ip_network("127.0.0.0/8"),)
    listener = Listener(address="127.0.0.1:0", allow_from=ELSEWHERE)
    opened = await opening(options(listener=listener, metrics_from=here))
    browser = await opened.browser()
    assert (await browser.get("/metrics")).status == 200
    assert (await browser.get("/sign-in")).status == 403
    assert (await browser.get("/metrics", Host="evil.example")).status == 421


async def test_metrics_come_in_the_form_that_is_asked_for(opened: Opened) -> None:
    browser = await opened.browser()
    plain = await browser.get("/metrics")
    assert plain.headers["Content-Type"].startswith("text/plain")
    assert 'graphrelay_queue_messages{state="held"} 1.0' in plain.text
    asked = await browser.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert asked.headers["Content-Type"].startswith("application/openmetrics-text")
    assert asked.text.endswith("# EOF\n")


async def test_however_many_ask_the_spool_is_read_once_in_a_while(opened: Opened) -> None:
    browser = await opened.browser()
    for _ in range(3):
        for path in PATHS:
            await browser.get(path)
    assert len(opened.verbs.calls("figures")) == 1
    assert opened.verbs.calls("status") == [{"prove": False}]


async def test_a_spool_that_cannot_be_read_is_no_health(opening: Opening) -> None:
    opened = await opening(figures=VerbError("the disk is gone"))
    browser = await opened.browser()
    for path in ("/healthz", "/readyz"):
        answer = await browser.get(path)
        assert answer.status == 503
        assert "the disk is gone" in answer.text
    assert (await browser.get("/metrics")).status == 503


async def test_not_ready_says_why(opening: Opening) -> None:
    opened = await opening(status=[{**STATUS, "well": False, "status": "Unauthorized"}])
    answer = await (await opened.browser()).get("/readyz")
    assert answer.status == 503
    assert json.loads(answer.text) == {
        "ready": False,
        "problems": ["account website: Unauthorized"],
    }
