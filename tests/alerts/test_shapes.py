"""A posted alert has no effect in a chat: no mentions, no links, no formatting."""

import html
import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.alerts.shapes import LONGEST_DISCORD, Shape, payload
from graphrelay.model import one_line
from tests.alerts.story import an_alert

EVIL = (
    "@channel @everyone @here <!channel> <@U123> <https://evil.example|click> https://evil.example "
    "www.evil.example [click](https://evil.example) *bold* `code` ```block``` <at>Bob</at> "
    "#general ![x](http://evil.example/x.png) ||hidden|| ~~gone~~ wp@contoso.com"
)


def text_for(shape: Shape, text: str) -> str:
    posted = payload(shape, an_alert(one_line(text)))
    match shape:
        case "slack":
            return str(posted["text"])
        case "discord":
            return str(posted["content"])
        case _:
            inlines = posted["attachments"][0]["content"]["body"][0]["inlines"]
            return str(inlines[0]["text"])


def test_the_generic_shape_says_all_there_is() -> None:
    posted = payload("generic", an_alert("it is broken"))
    assert (
        json.loads(json.dumps(posted))
        == posted
        == {
            "program": "graphrelay",
            "host": "mail1",
            "at": "2026-11-23T12:00:00+00:00",
            "state": "raised",
            "kind": "paused",
            "text": "graphrelay on mail1: it is broken. Wait.",
            "causes": [
                {
                    "subject": "a/b",
                    "text": "it is broken",
                    "remedy": "Wait.",
                    "since": "2026-11-23T12:00:00+00:00",
                    "count": 1,
                }
            ],
        }
    )


def test_slack_gets_nothing_that_it_would_act_upon() -> None:
    text = text_for("slack", EVIL)
    assert "<" not in text
    assert ">" not in text
    assert not re.search(r"(^|[^\w.])@(channel|everyone|here)", text)
    assert "://evil" not in text
    assert "www.evil" not in text
    assert "```" not in text
    assert "wp@contoso.com" in text
    posted = payload("slack", an_alert("x"))
    assert (posted["mrkdwn"], posted["unfurl_links"]) == (False, False)


@given(st.text())
def test_slack_shows_what_was_written(text: str) -> None:
    shown = html.unescape(text_for("slack", text)).replace("\u200b", "")
    assert f"graphrelay on mail1: {one_line(text)}" in shown


def test_discord_pings_nobody_and_every_mark_is_plain() -> None:
    posted = payload("discord", an_alert(EVIL))
    assert posted["allowed_mentions"] == {"parse": []}
    assert posted["flags"] == 4
    assert not re.search(r"(?<!\\)[@<>`*_~|\[\]()#:]", posted["content"])


@given(st.text())
def test_discord_shows_what_was_written(text: str) -> None:
    shown = re.sub(r"\\([^0-9A-Za-z\s])", r"\1", text_for("discord", text))
    assert f"graphrelay on mail1: {one_line(text)}" in shown


def test_discord_never_gets_more_than_it_takes() -> None:
    text = text_for("discord", "")
    causes = an_alert("*" * 300).causes * 5
    long = payload("discord", replace(an_alert("x"), causes=causes))["content"]
    assert len(text) < 100
    assert len(long) <= LONGEST_DISCORD
    assert long.endswith("…")
    assert not long.endswith("\\…")


def test_teams_gets_a_card_whose_text_has_no_markdown_and_no_mentions() -> None:
    posted = payload("teams", an_alert(EVIL))
    (attachment,) = posted["attachments"]
    assert posted["type"] == "message"
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.2")
    assert "msteams" not in card
    (block,) = card["body"]
    assert block["type"] == "RichTextBlock"
    assert [run["type"] for run in block["inlines"]] == ["TextRun"]


@pytest.mark.parametrize("shape", ["generic", "slack", "teams", "discord"])
@given(text=st.text())
def test_every_text_makes_json(shape: Shape, text: str) -> None:
    json.dumps(payload(shape, an_alert(one_line(text)))).encode("ascii")
