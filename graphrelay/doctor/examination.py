"""One account under examination: what the checks may ask of it, and what they have sent.

Every request is recorded. A letter goes out once: `send` refuses a key that was used before, and
recipients that the user did not agree to. If a question cannot be answered, `CannotTell` ends the
check, and its text appears in the table.
"""

import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from yarl import URL

from graphrelay.clock import Clock
from graphrelay.doctor.letter import Letter
from graphrelay.doctor.record import Record, RecordedConnections
from graphrelay.graph import drafts
from graphrelay.graph.http.answer import HttpAnswer, read_error
from graphrelay.graph.http.exchange import HttpResult, Lost, NotSent, Request
from graphrelay.graph.http.transport import Endpoint
from graphrelay.graph.session import GraphReply, Json, MailboxSession, Mime
from graphrelay.mime import header
from graphrelay.mime.header import HeaderSection
from graphrelay.model import Address, Lane, OctetsInMemory, same_address
from graphrelay.oauth.cloud import TokenCloud
from graphrelay.oauth.entra.claims import claims_of
from graphrelay.oauth.scenario import Account
from graphrelay.oauth.tokens.manager import TokenManager
from graphrelay.oauth.tokens.status import Status
from graphrelay.relay.deliver.request_limits import RequestLimits

CONCURRENCY = 6
PATIENCE = timedelta(minutes=2)
"""How long a message or a report is waited for."""
LOOK_EVERY = timedelta(seconds=5)
LARGEST = 8 * 1024 * 1024
"""Octets of an answer."""


class CannotTell(Exception):  # noqa: N818 (an answer, not a failure)
    """There is no answer to the question of a check; the text says why."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message as it is in the mailbox."""

    properties: dict[str, Any] = field(repr=False)
    octets: bytes = field(repr=False)
    section: HeaderSection = field(repr=False)

    def value(self, name: str) -> str:
        """Of a header field, on one line; empty where it is missing."""
        found = self.section.first(name)
        return self.section.unfolded(found).decode("utf-8", "replace") if found else ""

    @property
    def body(self) -> bytes:
        return self.octets[self.section.body_start :]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a person asked for."""

    to: str
    skip: frozenset[str] = frozenset()
    outside: str = ""
    """A mailbox that the account may not use."""
    revoke: bool = False
    tenant: bool = False
    """Whether the tenant may stand in the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reachable:
    """How Microsoft is reached."""

    graph_url: str
    endpoint: Endpoint
    tokens: TokenManager
    limits: RequestLimits
    clock: Clock

    @property
    def cloud(self) -> TokenCloud:
        return self.tokens.cloud


class Examination:
    """What the checks work with. Close it with `aclose`."""

    def __init__(
        self,
        account: Account,
        mailbox: str,
        status: Status,
        wish: Wish,
        reach: Reachable,
        record: Record,
        run: str,
    ) -> None:
        self.account, self.mailbox, self.status = account, mailbox, status
        self.wish, self.reach, self.record, self.run = wish, reach, record, run
        self.clock = reach.clock
        self.started_at = reach.clock.now()
        self.lane = Lane(account.name, Address.parse(mailbox).key)
        self._connections = RecordedConnections(
            reach.graph_url, reach.endpoint, CONCURRENCY, record
        )
        self._sent: dict[str, Letter] = {}
        self._arrived: dict[str, Arrived] = {}
        self.drafts: set[str] = set()
        """Those that are not deleted yet."""
        self.put_question: Callable[[str], Awaitable[str]] | None = None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._connections.aclose()

    # What is known of the account ---------------------------------------------------------------

    @property
    def box(self) -> str:
        """Where the mailbox begins in a path."""
        user = self.account.user_of(self.mailbox)
        return "/me" if user is None else f"/users/{quote(user, safe='@')}"

    @property
    def nobody(self) -> str:
        """An address that cannot exist (RFC 2606 section 2)."""
        return f"nobody.{self.run}@graphrelay.invalid"

    @property
    def endpoint(self) -> Endpoint:
        return self.reach.endpoint

    async def token(self) -> str:
        """An access token. Raises `CannotTell`."""
        found = await self.reach.tokens.bearer_token(self.account.name)
        if not isinstance(found, str):
            raise CannotTell(f"there is no token: {found.reason}")
        return found

    async def object_id(self) -> str:
        """Of the mailbox's user; empty if it is not known."""
        if self.account.is_own_mailbox(self.mailbox):
            return str(claims_of(await self.token()).get("oid") or "")
        user = self.account.user_of(self.mailbox) or ""
        return "" if "@" in user else user

    # Requests -----------------------------------------------------------------------------------

    async def session(self) -> MailboxSession:
        """Requests with an id of their own. Raises `CannotTell`."""
        token = await self.token()
        return MailboxSession(
            self.lane,
            self._connections,
            self.reach.tokens,
            token,
            self.clock,
            self.account.user_of(self.mailbox),
        )

    async def request(
        self, method: str, path: str, content: Mime | Json | None = None
    ) -> GraphReply:
        """With the account's token, below `/v1.0`; a denial is an answer like any other."""
        session = await self.session()
        return await session.request(method, path, content, keep=LARGEST, denial_counts=True)

    async def bare(self, method: str, url: str, headers: dict[str, str]) -> HttpResult:
        """Without a body, and without what a session adds."""
        request = Request(method, URL(url, encoded=True), headers, 0, LARGEST)
        return await self._connections.send(request, b"")

    async def look(self, path: str) -> dict[str, Any]:
        """What a GET in the mailbox shows. Raises `CannotTell`."""
        reply = await self.request("GET", f"{self.box}{path}")
        if reply.status != 200:
            raise CannotTell(f"the mailbox does not show it: {said(reply)}")
        return document(reply.body)

    # Letters ------------------------------------------------------------------------------------

    def letter(self, key: str, *to: str, **more: Any) -> Letter:
        """To the account's own mailbox, unless `to` says who else."""
        at = self.started_at.replace(microsecond=0) - timedelta(hours=1)
        given: dict[str, Any] = {"sender": self.mailbox, "to": to or (self.mailbox,)}
        return Letter(key=key, run=self.run, at=at, **(given | more))

    async def send(self, letter: Letter, box: str = "") -> GraphReply:
        """Submit as MIME, through the account's mailbox or that at another path."""
        self._once(letter)
        return await self.request("POST", f"{box or self.box}/sendMail", mime(letter.octets))

    async def send_json(self, letter: Letter, *headers: str) -> GraphReply:
        """Submit as JSON, without a copy in Sent Items."""
        self._once(letter)
        content = {"message": letter.as_json(headers), "saveToSentItems": False}
        return await self.request("POST", f"{self.box}/sendMail", in_json(content))

    async def send_draft(self, letter: Letter, content: Mime | Json) -> tuple[str, GraphReply]:
        """Create a draft of a letter and send it; its id, and the answer to sending it. Raises
        `CannotTell`."""
        self._once(letter)
        draft = await self.create(content)
        reply = await self.request("POST", f"{self.item(draft)}/send")
        if reply.status == 202:
            self.drafts.discard(draft)
        return draft, reply

    async def create(self, content: Mime | Json) -> str:
        """A draft's immutable id. Raises `CannotTell`."""
        reply = await self.request("POST", f"{self.box}/messages", content)
        draft = document(reply.body).get("id")
        if reply.status != 201 or not isinstance(draft, str):
            raise CannotTell(f"no draft could be created: {said(reply)}")
        self.drafts.add(draft)
        return draft

    async def delete(self, draft: str) -> None:
        """Delete a draft permanently, or as far as Graph allows."""
        if await drafts.delete(await self.session(), draft):
            self.drafts.discard(draft)

    def item(self, item: str) -> str:
        """The path of a message."""
        return f"{self.box}/messages/{quote(item, safe='')}"

    def _once(self, letter: Letter) -> None:
        allowed = (self.mailbox, self.wish.to, self.nobody, *self.account.own_names)
        strangers = [
            one for one in letter.recipients if not any(same_address(one, name) for name in allowed)
        ]
        if letter.key in self._sent or strangers:
            raise AssertionError(f"letter {letter.key!r}: sent before, or to {strangers}")
        self._sent[letter.key] = letter

    # What arrives -------------------------------------------------------------------------------

    async def copies(self, letter: Letter, folder: str = "") -> list[dict[str, Any]]:
        """The messages with the letter's subject, in one folder or anywhere. Raises `CannotTell`.
        By subject, as Exchange may give a message another Message-ID."""
        where = f"/mailFolders/{folder}/messages" if folder else "/messages"
        condition = quote(f"subject eq '{letter.subject}'", safe="")
        found = (await self.look(f"{where}?$filter={condition}&$top=50")).get("value")
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    async def arrival(self, letter: Letter) -> Arrived:
        """The message in the Inbox, as soon as it is there. Raises `CannotTell`."""
        if letter.key not in self._arrived:
            (found, *_) = await self.until(lambda: self.copies(letter, "inbox"))
            reply = await self.request("GET", f"{self.item(str(found['id']))}/$value")
            section = header.read(reply.body)
            if reply.status != 200 or section is None:
                raise CannotTell(f"the message that arrived cannot be read: {said(reply)}")
            self._arrived[letter.key] = Arrived(found, reply.body, section)
        return self._arrived[letter.key]

    async def delivered(self, letter: Letter) -> Arrived:
        """Send it, unless that was done before, and wait for it. Raises `CannotTell`."""
        if letter.key not in self._sent:
            taken(await self.send(letter))
        return await self.arrival(letter)

    async def until(self, look: Callable[[], Awaitable[list[Any]]]) -> list[Any]:
        """What `look` finds, as soon as it finds anything. Raises `CannotTell`."""
        until = self.clock.monotonic() + PATIENCE
        while not (found := await look()):
            if self.clock.monotonic() >= until:
                minutes = int(PATIENCE.total_seconds() // 60)
                raise CannotTell(f"nothing was found within {minutes} minutes")
            await self.clock.sleep(LOOK_EVERY)
        return found

    # Cleaning up --------------------------------------------------------------------------------

    @property
    def letters(self) -> tuple[Letter, ...]:
        """Those that were sent, or may have been sent."""
        return tuple(self._sent.values())

    async def clean(self, also: Iterable[str] = ()) -> tuple[int, int]:
        """Delete the drafts, and every copy of the letters and reports in the mailbox: how many
        are gone, and how many are not. Raises `CannotTell`."""
        items = {*self.drafts, *also}
        for letter in self.letters:
            items |= {str(one["id"]) for one in await self.copies(letter)}
        session = await self.session()
        gone = [await drafts.delete(session, one) for one in items]
        self.drafts.clear()
        return gone.count(True), gone.count(False)


def mime(octets: bytes) -> Mime:
    return Mime(OctetsInMemory(octets))


def in_json(value: object) -> Json:
    return Json(OctetsInMemory(json.dumps(value).encode()))


def said(reply: GraphReply | HttpResult) -> str:
    """An answer in a few words: `HTTP 403 ErrorAccessDenied`."""
    match reply:
        case GraphReply(answer=HttpAnswer() as answer) | (HttpAnswer() as answer):
            return f"HTTP {answer.status} {read_error(answer.body).code}".strip()
        case NotSent(reason) | Lost(reason):
            return reason
        case GraphReply(outcome=outcome):
            return getattr(outcome, "reason", "no answer")


def taken(reply: GraphReply) -> GraphReply:
    """Raises `CannotTell` unless Graph accepted the message."""
    if reply.status != 202:
        raise CannotTell(f"the message was not taken: {said(reply)}")
    return reply


def document(body: bytes) -> dict[str, Any]:
    """An object of JSON; empty for anything else."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def moment(text: object) -> datetime | None:
    """A time with its zone."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found if found and found.tzinfo else None
