"""The page Overview: whether everything is well, in one line."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

from graphrelay.console.live import PAUSE
from graphrelay.console.shared import SHARE
from graphrelay.control.verb import Asker, Output
from tests.console.conftest import FIGURES, STATUS, Opened, Opening
from tests.console.test_guard import LANE


async def test_everything_is_well(opening: Opening) -> None:
    opened = await opening(figures=[{**FIGURES, "held": 0}])
    text = (await (await opened.viewer()).get("/")).text
    assert "Everything is well." in text
    assert "What needs a person" not in text
    assert "5.0 GB" in text


async def test_what_needs_a_person_is_named_with_where_to_go(opening: Opening) -> None:
    refused = {**STATUS, "well": False, "status": "Refused", "reason": "The password changed."}
    opened = await opening(status=[refused], lanes=[{**LANE, "account": "website"}])
    text = (await (await opened.operator()).get("/")).text
    assert "Something needs a person." in text
    assert "The password changed." in text
    assert 'href="/accounts#website"' in text
    assert 'action="/accounts/website/authorize" class="inline" target="_blank"' in text
    shown = (await (await opened.viewer()).get("/")).text
    assert 'href="/accounts#website"' in shown
    assert 'action="/accounts/website/authorize"' not in shown, "a viewer authorizes nothing"


async def test_a_lane_that_stands_has_its_buttons(opening: Opening) -> None:
    opened = await opening(lanes=[{**LANE, "account": "website"}])
    text = (await (await opened.operator()).get("/")).text
    assert 'href="/queue?account=website&amp;mailbox=m"' in text
    assert "Try again now" in text


async def test_an_alert_is_not_well(opened: Opened) -> None:
    opened.alert = "the disk is nearly full"
    text = (await (await opened.viewer()).get("/")).text
    assert "the disk is nearly full" in text
    assert "Everything is well." not in text


async def test_a_budget_says_when_it_is_used_up(opening: Opening) -> None:
    use = {"what": "messages", "used": 29, "most": 30, "window": 60, "exhausted_in": 20}
    opened = await opening(lanes=[{**LANE, "account": "website", "budgets": [use]}])
    text = (await (await opened.viewer()).get("/")).text
    assert "messages: 29 of 30 in 60 s" in text
    assert "used up in 20 s" in text


async def test_refusals_of_today_are_added_up(opening: Opening) -> None:
    opened = await opening(log_refused=[{"times": 40}, {"times": 2}])
    text = (await (await opened.viewer()).get("/")).text
    assert '<a href="/log/refused">42</a>' in text
    assert opened.verbs.calls("log-refused")[0]["since"] == "2026-11-23T00:00:00+00:00"


async def test_however_many_look_everything_is_read_once_in_a_while(opened: Opened) -> None:
    viewer, operator = await opened.viewer(), await opened.operator()
    await opened.clock.advance(PAUSE)
    opened.verbs.asked.clear()
    renewing = (one.get("/", X_Renewal="1") for one in (viewer, operator) * 5)
    shown = await asyncio.gather(*renewing)
    assert all("Today" in one.text for one in shown)
    assert [name for name, _ in opened.verbs.asked] == [
        "tally",
        "figures",
        "lanes",
        "status",
        "log-refused",
    ]
    await opened.clock.advance(PAUSE / 2)
    assert "12:00:02" in (await viewer.get("/", X_Renewal="1")).text, "as of when it was read"
    await opened.clock.advance(PAUSE / 2)
    await viewer.get("/", X_Renewal="1")
    assert len(opened.verbs.asked) == 10


async def test_a_page_that_is_from_before_a_change_is_asked_for_once_more(opened: Opened) -> None:
    """An answer that took long is kept for longer than an event takes."""

    async def slow(_: Mapping[str, Any], _ask: Asker) -> AsyncIterator[Output]:
        await opened.clock.advance(timedelta(seconds=1))
        yield FIGURES

    opened.verbs["figures"] = slow
    vera = await opened.viewer()
    opened.console.hear(opened.entries[-1])
    await opened.clock.advance(PAUSE)
    page = await vera.get("/", X_Renewal="1")
    assert page.headers["X-Renew-In"] == str(SHARE - 3)
    await opened.clock.advance(timedelta(seconds=SHARE - 3))
    page = await vera.get("/", X_Renewal="1")
    assert "X-Renew-In" not in page.headers


async def test_a_person_sees_what_is_true_now(opened: Opened) -> None:
    otto = await opened.operator()
    assert "Authorized</span>" in (await otto.get("/")).text
    opened.verbs.answers["status"] = [{**STATUS, "well": False, "status": "Unauthorized"}]
    await opened.clock.advance(PAUSE / 10)
    assert "Unauthorized</span>" in (await otto.get("/")).text
