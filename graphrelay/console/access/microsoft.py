"""Signing in with Microsoft: which browser began it, and who of those that come back may use the
console.

    begin ─▶ cookie (this browser), state ─▶ Microsoft ─▶ cookie, state, code ─▶ user of the table

What is always true here: an answer counts once, within `SIGN_IN_TIME`, and only in the browser that
asked: the cookie, of which the hash is kept, and the state must be of the same sign-in. So nobody
can be signed in as somebody else by a link (login CSRF). A user is known by the object id; the user
name must be the configured one as well.
"""

import asyncio
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from graphrelay.clock import Clock
from graphrelay.console import texts
from graphrelay.console.options import MicrosoftOptions, MicrosoftUser
from graphrelay.model import one_line, same_address
from graphrelay.oauth.entra.responses import CodeRequest
from graphrelay.oauth.sign_in.authorizer import SIGN_IN_TIME
from graphrelay.oauth.sign_in.identities import Identities, Unidentified

_MOST: Final = 100
"""Sign-ins under way at once; beyond that the oldest is void."""
_MOST_ASKING: Final = 10
"""Who may wait for the thread that asks Entra, in which tokens are renewed, too: one at a time."""


@dataclass(frozen=True, slots=True)
class Begun:
    """The browser goes to `url`, and keeps `cookie`."""

    url: str
    cookie: str


@dataclass(frozen=True, slots=True)
class Welcome:
    """The user may use the console, and wanted to see the page `target`."""

    user: MicrosoftUser
    target: str


@dataclass(frozen=True, slots=True)
class Unwelcome:
    """Nobody is signed in; `reason` is for the person and for the journal. `who` is a configured
    user, or empty."""

    reason: str
    who: str = ""


@dataclass(frozen=True, slots=True)
class _Pending:
    options: MicrosoftOptions
    request: CodeRequest
    target: str
    until: timedelta


class MicrosoftSignIns:
    """Those that are under way."""

    def __init__(self, identities: Identities, clock: Clock) -> None:
        self._identities = identities
        self._clock = clock
        self._pending: OrderedDict[bytes, _Pending] = OrderedDict()
        self._asking = asyncio.Lock()
        self._waiting = 0

    async def begin(
        self, options: MicrosoftOptions, redirect_uri: str, target: str
    ) -> Begun | Unwelcome:
        """Start one for a browser."""
        if self._waiting >= _MOST_ASKING:
            return Unwelcome(texts.TOO_MANY_SIGN_INS)
        self._waiting += 1
        try:
            async with self._asking:
                request = await self._identities.begin(options.account, redirect_uri)
        finally:
            self._waiting -= 1
        if isinstance(request, Unidentified):
            return Unwelcome(request.reason)
        cookie = secrets.token_urlsafe(32)
        until = self._clock.monotonic() + SIGN_IN_TIME
        self._pending[_key(cookie)] = _Pending(options, request, target, until)
        while len(self._pending) > _MOST:
            self._pending.popitem(last=False)
        return Begun(request.url, cookie)

    async def complete(
        self, current: Callable[[], MicrosoftOptions], cookie: str, answer: Mapping[str, str]
    ) -> Welcome | Unwelcome:
        """Who has come back; `current` are the options, which may change while Entra is asked."""
        options = current()
        pending = self._pending.get(_key(cookie))
        state = answer.get("state", "").encode()
        if pending is None or not hmac.compare_digest(state, pending.request.state.encode()):
            return Unwelcome(texts.NO_SUCH_SIGN_IN)
        del self._pending[_key(cookie)]
        if self._clock.monotonic() >= pending.until:
            return Unwelcome(texts.SIGN_IN_TOO_LATE)
        if pending.options != options:
            return Unwelcome(texts.CONFIGURATION_CHANGED)
        async with self._asking:
            person = await self._identities.identify(options.account, pending.request, answer)
        if current() != options:
            return Unwelcome(texts.CONFIGURATION_CHANGED)
        if isinstance(person, Unidentified):
            return Unwelcome(person.reason)
        named = f"{one_line(person.username, 200)} (object id {one_line(person.object_id, 40)})"
        user = next((one for one in options.users if one.object_id == person.object_id), None)
        if user is None:
            return Unwelcome(texts.NOT_LISTED.format(named=named))
        if not same_address(user.username, person.username):
            return Unwelcome(
                texts.OTHER_NAME.format(named=named, username=user.username),
                user.username,
            )
        return Welcome(user, pending.target)


def _key(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode()).digest()
