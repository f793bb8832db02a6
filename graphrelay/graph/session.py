"""Requests to Graph in one mailbox, in the name of one account: with a token that Graph takes.

    GraphClient.session(lane) ─▶ MailboxSession ─▶ send(Mime | Json) ─▶ Outcome
                                       └─▶ request(…), upload(…) ─▶ GraphReply

`POST …/sendMail` with `Content-Type: text/plain` takes the base64 of a whole MIME message
(https://learn.microsoft.com/en-us/graph/api/user-sendmail). It has no envelope: Exchange sends to
the header fields To, Cc and Bcc.

A token may be older than the consent that was given since, or have been revoked before its time. So
the first refusal does not count: another token is fetched and the same request made once more. If
that is refused as well, or there is no other, the outcome is `Paused`, as nothing else in the
mailbox would be sent. Where Graph says what the next token must contain (a claims challenge,
https://learn.microsoft.com/en-us/entra/identity-platform/claims-challenge), the token source is
asked for just that.
"""

import re
from binascii import b2a_base64
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace
from random import getrandbits
from typing import Protocol
from urllib.parse import quote
from uuid import UUID

from yarl import URL

from graphrelay.clock import Clock
from graphrelay.graph.base64stream import closing, encoded, encoded_size
from graphrelay.graph.http.answer import HttpAnswer, claims_challenge
from graphrelay.graph.http.connection import AT_ONCE
from graphrelay.graph.http.exchange import HttpResult, Lost, NotSent, Request, RequestBody
from graphrelay.graph.lane import LaneConnections
from graphrelay.graph.outcome import outcome_of
from graphrelay.model import (
    Answer,
    Delayed,
    Lane,
    OctetsInMemory,
    OctetSource,
    Outcome,
    Paused,
    Trouble,
    Uncertain,
)

OWN_MAILBOX = "/me"
"""Graph's name for the mailbox of the user who signed in."""

ACCEPTED, CREATED = 202, 201
"""What Graph answers to a message that it takes, and to a draft."""

_USER_AGENT = "graphrelay"


class TokenSource(Protocol):
    """Where access tokens come from."""

    async def bearer_token(
        self, account: str, *, refused: str = "", challenge: str = ""
    ) -> str | Paused | Delayed:
        """A token, or the outcome that every request of the account has without one.

        `refused` is the token that Graph refused, in whose place another is wanted; `challenge` is
        what that must contain (JSON), where Graph asked for something.
        """
        ...


@dataclass(frozen=True, slots=True)
class Mime:
    """A message as its octets."""

    octets: OctetSource


@dataclass(frozen=True, slots=True)
class Json:
    """A request body in JSON, such as Graph's `message` resource."""

    octets: OctetSource


@dataclass(frozen=True, slots=True)
class GraphReply:
    """What came of a request: its meaning for the mail, and Graph's answer where one came."""

    outcome: Outcome
    answer: HttpAnswer | None = None
    unreachable: bool = False
    """Whether no connection could be made."""

    @property
    def status(self) -> int:
        """The HTTP status; 0 where no answer came."""
        return self.answer.status if self.answer else 0

    @property
    def body(self) -> bytes:
        return self.answer.body if self.answer else b""


def mailbox_path(user: str) -> str:
    """`/users/…`, with the user as exactly one path segment, whatever it contains.

    Raises `ValueError` for what cannot be the name of a user.
    """
    if not user.isprintable() or not user.strip("."):
        raise ValueError(f"{user!r} cannot be the name of a mailbox")
    return f"/users/{quote(user, safe='@')}"


class MailboxSession:
    """Requests that belong together, such as those of one attempt: all carry the same
    `client_request_id`, by which Microsoft's support finds them."""

    def __init__(
        self,
        lane: Lane,
        connections: LaneConnections,
        tokens: TokenSource,
        token: str,
        clock: Clock,
        user: str | None,
    ) -> None:
        """`user`: whose mailbox it is, by user principal name or object id; `None`: that of the
        user who signed in."""
        # uuid4() asks the system for each; these need only differ.
        self.client_request_id = str(UUID(int=getrandbits(128), version=4))
        self._lane = lane
        self._connections = connections
        self._tokens = tokens
        self._token = token
        self._clock = clock
        self._user = user

    @property
    def mailbox(self) -> str:
        """Where the mailbox begins in a path, such as `/me`. Raises `ValueError` for what cannot be
        the name of a user."""
        return OWN_MAILBOX if self._user is None else mailbox_path(self._user)

    async def send(self, content: Mime | Json) -> Outcome:
        """Submit a message, read from its start. JSON can say that no copy stays in Sent Items.

        Raises whatever reading `content` raises, and `BodyChanged`; then nothing was sent.
        """
        path = f"{self.mailbox}/sendMail"
        return (await self.request("POST", path, content, success=ACCEPTED)).outcome

    async def request(
        self,
        method: str,
        path: str,
        content: Mime | Json | None = None,
        *,
        keep: int = 0,
        denial_counts: bool = False,
        success: int | None = None,
    ) -> GraphReply:
        """Any request; `path` follows the version, such as `/me/messages`.

        `keep`: octets of the answer that are wanted, if more than an error has. `denial_counts`: a
        403 is taken as it is, where asking often for another token would cost more than it gains.
        `success`: the only status that means success, where not every 2xx does.
        """
        reply = await self._once(method, path, content, keep, success)
        if not _is_token_refused(reply) or (denial_counts and reply.status == 403):
            return reply
        assert reply.answer is not None  # noqa: S101 (only an answer refuses)
        challenge = claims_challenge(reply.answer.headers) or ""
        other = await self._tokens.bearer_token(
            self._lane.account, refused=self._token, challenge=challenge
        )
        if not isinstance(other, str):
            return GraphReply(other)
        self._token = other
        reply = await self._once(method, path, content, keep, success)
        return self._refused(reply) if _is_token_refused(reply) else reply

    async def upload(
        self, method: str, url: str, content_range: str = "", piece: OctetSource | None = None
    ) -> GraphReply:
        """A request to an upload session. Its URL carries an authorization of its own and may be at
        another host, so that no token of ours goes there. `content_range` is such as
        `bytes 0-2097151/3483322`.

        Raises whatever reading `piece` raises, and `BodyChanged`.
        """
        where = upload_url(url)
        if where is None:
            return self._reply(NotSent("the URL for the upload cannot be used", "4.3.5"))
        headers = {"Accept": "application/json", "User-Agent": _USER_AGENT}
        if piece is not None:
            headers["Content-Type"] = "application/octet-stream"
            headers["Content-Range"] = content_range
        size = piece.size if piece is not None else 0
        request = Request(method, where, headers, size)
        body = _octets(piece) if piece is not None else b""
        return self._reply(await self._connections.send(request, body))

    def take_spent(self) -> tuple[int, int]:
        """Requests made and octets sent in the lane since it was asked last."""
        return self._connections.take_spent()

    async def _once(
        self,
        method: str,
        path: str,
        content: Mime | Json | None,
        keep: int,
        success: int | None,
    ) -> GraphReply:
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Accept": "application/json",
            "User-Agent": _USER_AGENT,
            "client-request-id": self.client_request_id,
            "return-client-request-id": "true",
            "Prefer": 'IdType="ImmutableId"',
        }
        size = 0
        body: RequestBody = b""
        match content:
            case Mime(OctetsInMemory(octets)) if encoded_size(len(octets)) <= AT_ONCE:
                headers["Content-Type"] = "text/plain"
                body = b2a_base64(octets, newline=False)
                size = len(body)
            case Mime(octets):
                headers["Content-Type"] = "text/plain"
                size, body = encoded_size(octets.size), encoded(octets.chunks())
            case Json(octets):
                headers["Content-Type"] = "application/json"
                size, body = octets.size, _octets(octets)
        url = URL(f"{self._connections.graph}/v1.0{path}", encoded=True)
        request = Request(method, url, headers, size, keep)
        return self._reply(await self._connections.send(request, body), success)

    def _reply(self, result: HttpResult, success: int | None = None) -> GraphReply:
        said = Answer(client_request_id=self.client_request_id)
        match result:
            case HttpAnswer():
                now = self._clock.now()
                return GraphReply(outcome_of(result, self.client_request_id, now, success), result)
            case NotSent(reason, status):
                outcome = Delayed(status=status, reason=reason, answer=said)
                return GraphReply(outcome, unreachable=result.is_unreachable)
            case Lost(reason):
                return GraphReply(Uncertain(reason=reason, answer=said))

    def _refused(self, reply: GraphReply) -> GraphReply:
        """Graph refused two tokens, the second one fresh."""
        assert isinstance(reply.outcome, Paused)  # noqa: S101 (see _is_token_refused)
        account, mailbox = self._lane.account, self._lane.mailbox
        outcome = replace(
            reply.outcome,
            reason=f'account "{account}", mailbox {mailbox}: {reply.outcome.reason}',
            remedy=f"graphrelay status {account}",
        )
        return GraphReply(outcome, reply.answer)


def _is_token_refused(reply: GraphReply) -> bool:
    outcome = reply.outcome
    return isinstance(outcome, Paused) and outcome.trouble is Trouble.AUTHORIZATION


_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_URL = re.compile(
    rf"(https://(?=[^/:]{{1,253}}[/:]){_LABEL}(?:\.{_LABEL})*(?::(?P<port>[0-9]{{1,5}}))?)/[!-~]*"
)
_LONGEST_URL = 16 * 1024


def upload_url(url: str) -> URL | None:
    """The URL as it is; `None` for one to which mail must not be sent: with another scheme
    than https, user info, a name that DNS cannot hold (RFC 1035), an invalid port, or over 16 KiB.
    """
    found = _URL.fullmatch(url) if len(url) <= _LONGEST_URL else None
    if found is None or not 0 < int(found["port"] or 443) < 1 << 16:
        return None
    return URL(url, encoded=True)


async def _octets(body: OctetSource) -> AsyncGenerator[bytes, None]:
    async with closing(body.chunks()) as chunks:
        async for piece in chunks:
            yield piece
