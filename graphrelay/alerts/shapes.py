"""An alert as the JSON that a chat's webhook accepts.

No text of an alert may act in the chat: mention anybody, become a link, change how the rest is
displayed. How each service reads text is in its documentation:

    slack    https://docs.slack.dev/messaging/formatting-message-text
    discord  https://docs.discord.com/developers/resources/webhook#execute-webhook
    teams    https://learn.microsoft.com/en-us/connectors/teams/#microsoft-teams-webhook
             https://adaptivecards.io/explorer/TextRun.html (which has no Markdown)
"""

import re
from collections.abc import Callable
from typing import Any, Literal

from graphrelay.alerts.alert import Alert, State

Shape = Literal["generic", "slack", "teams", "discord"]

LONGEST_DISCORD = 2000
LONGEST_SLACK = 4000
_BREAK = "\u200b"
"""Zero width: invisible, and what it interrupts is neither a link nor a mention."""


def payload(shape: Shape, alert: Alert) -> dict[str, Any]:
    """The JSON to post."""
    return _SHAPES[shape](alert)


def _generic(alert: Alert) -> dict[str, Any]:
    return alert.plain


def _slack(alert: Alert) -> dict[str, Any]:
    """Mattermost and Rocket.Chat accept it too; in their Markdown a bare @name is a mention."""
    text = _inert(alert.sentence[: LONGEST_SLACK // 2])
    for letter, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(letter, entity)
    return {"text": text, "mrkdwn": False, "unfurl_links": False, "unfurl_media": False}


def _discord(alert: Alert) -> dict[str, Any]:
    """In its Markdown a backslash takes the meaning from any punctuation mark."""
    text = re.sub(r"([!-+/:-@\[-`{-~-])", r"\\\1", alert.sentence)
    if len(text) > LONGEST_DISCORD:
        text = f"{text[: LONGEST_DISCORD - 1].rstrip(chr(92))}…"
    suppress_embeds = 1 << 2
    return {"content": text, "allowed_mentions": {"parse": []}, "flags": suppress_embeds}


def _teams(alert: Alert) -> dict[str, Any]:
    colour = {State.RAISED: "Attention", State.REPEATED: "Attention", State.CLEARED: "Good"}
    run = {"type": "TextRun", "text": alert.sentence, "color": colour.get(alert.state, "Default")}
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.2",
        "body": [{"type": "RichTextBlock", "inlines": [run]}],
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return {"type": "message", "attachments": [attachment]}


def _inert(text: str) -> str:
    """Interrupt what would become a link or a mention; mail addresses stay as they are."""
    text = re.sub(r"(?<![\w.+-])@", f"@{_BREAK}", text)
    text = re.sub(r"([*_~`|\[\]!#])", rf"\1{_BREAK}", text)
    return re.sub(r"(?i)(://|\bwww\.|\bmailto:|\btel:)", rf"\1{_BREAK}", text)


_SHAPES: dict[Shape, Callable[[Alert], dict[str, Any]]] = {
    "generic": _generic,
    "slack": _slack,
    "teams": _teams,
    "discord": _discord,
}
