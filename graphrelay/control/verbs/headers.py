"""The verb `teach-headers`: makes the names of header fields known to a mailbox.

A mailbox that has never seen a header field by JSON may drop it from messages that are submitted as
MIME (a report from the field:
https://github.com/microsoftgraph/microsoft-graph-docs-contrib/issues/424). Once such a field was
sent as a property of a JSON message from that mailbox, MIME keeps it. So one message goes from the
mailbox to itself, with the names that the administrator gives; the relay never sends it by itself.
"""

import json
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

from graphrelay.control.verb import Asker, Output, Verb, VerbError
from graphrelay.graph.client import GraphClient
from graphrelay.graph.session import Json
from graphrelay.model import Delayed, Lane, OctetsInMemory, Paused, Relayed, in_small_letters
from graphrelay.oauth.scenario import Account
from graphrelay.oauth.tokens.manager import TokenManager

MOST = 5
"""The limit of such fields in one message
(https://learn.microsoft.com/en-us/graph/api/resources/internetmessageheader)."""
_NAME = re.compile(r"[Xx]-[!-9;-~]{1,74}")


class HeaderVerbs:
    """Over the process's one TokenManager and GraphClient."""

    def __init__(self, tokens: TokenManager, graph: GraphClient) -> None:
        self._tokens = tokens
        self._graph = graph

    def table(self) -> dict[str, Verb]:
        return {"teach-headers": self._teach}

    async def _teach(self, arguments: Mapping[str, Any], _: Asker) -> AsyncIterator[Output]:
        account = self._account(str(arguments["account"]))
        mailbox = str(arguments.get("mailbox") or account.default_mailbox or "")
        if not account.may_use(mailbox):
            raise VerbError(f"account {account.name} may not use the mailbox {mailbox or '(none)'}")
        names = _checked(arguments.get("names"))
        mailbox = account.mailbox_of(mailbox)
        session = await self._graph.session(Lane(account.name, in_small_letters(mailbox)))
        if isinstance(session, Paused | Delayed):
            raise VerbError(f"there is no token to send with: {session.reason}")
        outcome = await session.send(Json(OctetsInMemory(_message(mailbox, names))))
        if not isinstance(outcome, Relayed):
            raise VerbError(f"the message from {mailbox} to itself was not sent: {outcome.reason}")
        yield {"kind": "taught", "account": account.name, "mailbox": mailbox, "names": list(names)}

    def _account(self, name: str) -> Account:
        for account in self._tokens.accounts:
            if account.name == name:
                return account
        known = ", ".join(account.name for account in self._tokens.accounts)
        raise VerbError(f"there is no account {name!r}, only {known}")


def _checked(given: object) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(map(str, given))) if isinstance(given, list) else ()
    if not 0 < len(names) <= MOST:
        raise VerbError(f"give one to {MOST} names; Graph takes no more in one message")
    for name in names:
        if not _NAME.fullmatch(name):
            raise VerbError(f"{name!r} is not the name of a header field that begins with X-")
    return names


def _message(mailbox: str, names: tuple[str, ...]) -> bytes:
    text = "graphrelay made these header fields known to this mailbox: " + ", ".join(names)
    message = {
        "subject": "graphrelay: header fields",
        "body": {"contentType": "text", "content": text},
        "from": {"emailAddress": {"address": mailbox}},
        "toRecipients": [{"emailAddress": {"address": mailbox}}],
        "internetMessageHeaders": [{"name": name, "value": "1"} for name in names],
    }
    return json.dumps({"message": message, "saveToSentItems": False}).encode()
