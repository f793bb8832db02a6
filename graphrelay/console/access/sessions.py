"""Sessions: who is signed in, until when.

What is always true here: the value of a cookie is random, made at sign-in and never taken from a
browser, which prevents session fixation; only its hash is kept. A session ends when it has been
idle too long, when it is too old, when the user signs out, and when a reload removes or changes the
user.
"""

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from graphrelay.clock import Clock
from graphrelay.console.options import Role

How = Literal["link", "password", "microsoft"]
Configured = Mapping[tuple[How, str], object]
"""What is configured of each user, by how the user signs in and the name of the session."""
MOST = 1_000
"""Sessions at once; beyond that the one that was idle longest ends."""
MOST_EACH = 50
"""Of one user, who could end everybody else's by signing in again and again."""


@dataclass(frozen=True, slots=True)
class ConsoleSession:
    """The session of a signed-in user."""

    key: bytes
    """The hash of the cookie's value."""
    who: str
    role: Role
    how: How
    opened: timedelta
    seen: timedelta

    @property
    def may_act(self) -> bool:
        return self.role == "operator"


class Sessions:
    """All open sessions. `ended` is called with each session that ends, and the reason."""

    def __init__(
        self,
        clock: Clock,
        idle: timedelta,
        longest: timedelta,
        ended: Callable[[ConsoleSession, str], None],
    ) -> None:
        self._clock = clock
        self._idle = idle
        self._longest = longest
        self._ended = ended
        self._open: OrderedDict[bytes, ConsoleSession] = OrderedDict()
        self._secret = secrets.token_bytes(32)

    def open(self, who: str, role: Role, how: How) -> str:
        """The value of the new session's cookie."""
        value = secrets.token_urlsafe(32)
        now = self._clock.monotonic()
        key = _key(value)
        self._open[key] = ConsoleSession(key, who, role, how, now, now)
        own = [one.key for one in self._open.values() if (one.how, one.who) == (how, who)]
        if len(own) > MOST_EACH:
            self._end(own[0], "too many sessions of one user")
        while len(self._open) > MOST:
            self._end(next(iter(self._open)), "too many sessions")
        return value

    def find(self, value: str, *, uses: bool = True) -> ConsoleSession | None:
        """The session of a cookie, if it is open. With `uses`, the request counts as activity of
        the user."""
        key = _key(value)
        session = self._open.get(key)
        if session is None:
            return None
        now = self._clock.monotonic()
        if now - session.seen >= self._idle:
            self._end(key, "idle")
            return None
        if now - session.opened >= self._longest:
            self._end(key, "as long as a session may last")
            return None
        if uses:
            session = self._open[key] = replace(session, seen=now)
            self._open.move_to_end(key)
        return session

    def close(self, session: ConsoleSession, reason: str = "signed out") -> None:
        """It is over."""
        self._end(session.key, reason)

    def use(
        self, before: Configured, after: Configured, idle: timedelta, longest: timedelta
    ) -> None:
        """Other users and limits. Sessions of users who were removed or changed end."""
        self._idle, self._longest = idle, longest
        for session in tuple(self._open.values()):
            user = (session.how, session.who)
            if before.get(user) != after.get(user):
                self._end(session.key, "the user was removed or changed")

    def _end(self, key: bytes, reason: str) -> None:
        if session := self._open.pop(key, None):
            self._ended(session, reason)

    def is_open(self, session: ConsoleSession) -> bool:
        """Whether it has not ended; does not count as use."""
        kept = self._open.get(session.key)
        now = self._clock.monotonic()
        return (
            kept is not None and now - kept.seen < self._idle and now - kept.opened < self._longest
        )

    # Form tokens -----------------------------------------------------------------------------

    def stranger(self) -> str:
        """The value of a cookie for a visitor who is not signed in: forms need one."""
        return secrets.token_urlsafe(32)

    def form_token(self, cookie: str) -> str:
        """What a form must send back beside the cookie, which another site can neither read nor
        guess."""
        return hmac.new(self._secret, cookie.encode(), hashlib.sha256).hexdigest()

    def is_form_token(self, cookie: str, token: str) -> bool:
        """Whether the form was made for the browser that has the cookie."""
        return bool(cookie) and hmac.compare_digest(
            self.form_token(cookie).encode(), token.encode()
        )


def _key(value: str) -> bytes:
    return hashlib.sha256(value.encode()).digest()
