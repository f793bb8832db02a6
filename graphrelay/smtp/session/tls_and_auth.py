"""STARTTLS and AUTH: who the client is, and that nobody else can read what it sends.

What is always true here: what was said before the handshake counts for nothing after it (RFC 3207
section 4.2), and a password is accepted only in TLS, from this machine, or where the admin allows
it.
"""

import ipaddress
import ssl
from typing import Final

from graphrelay.model import Reply
from graphrelay.smtp.access.admission import LOCAL
from graphrelay.smtp.access.login import LockedOut, Login, WrongPassword
from graphrelay.smtp.grammar import replies
from graphrelay.smtp.grammar.sasl import Credentials, credentials
from graphrelay.smtp.session.session import SHOWN, LostInHandshake, Session, SessionEnded

_REMEDIES: Final = {
    "WRONG_VERSION_NUMBER": "the client spoke in clear: set it to SSL/TLS, or to another listener",
    "UNSUPPORTED_PROTOCOL": 'the client supports only old versions of TLS: tls_minimum = "1.0"',
    "TLSV1_ALERT_UNKNOWN_CA": "the client does not trust the certificate of this listener",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the client does not trust the certificate of this listener",
}
"""By the reason that OpenSSL gives: what an admin may do about it."""


class TlsAndAuth:
    """The commands STARTTLS and AUTH of one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def starttls(self, argument: str) -> bool:
        """RFC 3207: whether TLS is on now. Commands sent ahead of the handshake end the session."""
        session = self._session
        if session.listener.tls != "starttls":
            session.wrong(replies.NO_TLS_HERE)
        elif session.tls is not None:
            session.wrong(replies.ALREADY_TLS)
        elif argument:
            session.wrong(replies.NO_ARGUMENT)
        elif session.buffer.has_more:
            session.hang_up(replies.AHEAD_OF_TLS)
        else:
            session.say(replies.READY_FOR_TLS)
            await self.shake_hands()
            session.helo = session.login = None
            return True
        return False

    async def auth(self, argument: str) -> None:
        """RFC 4954, after HELO too."""
        if (refusal := self._refusal_of_login(argument)) is not None:
            self._session.wrong(refusal)
            return
        claim = await credentials(argument, self._ask)
        if isinstance(claim, Reply):
            self._session.wrong(claim)
            return
        await self._log_in(claim)

    @property
    def offers_tls(self) -> bool:
        """Whether STARTTLS is worth advertising."""
        return self._session.listener.tls == "starttls" and self._session.tls is None

    @property
    def offers_login(self) -> bool:
        """Whether AUTH is worth advertising."""
        return self._may_log_in() and self._session.login is None

    async def shake_hands(self) -> None:
        """Go on in TLS. Raises `SessionEnded` where the client does not."""
        session = self._session
        assert session.certificate is not None  # noqa: S101 (the server reads it before it listens)
        timeout = session.server.limits.tls_handshake_timeout
        try:
            session.tls = await session.buffer.start_tls(session.certificate.context(), timeout)
        except ssl.SSLError as error:
            self.note_no_tls(error)
            raise SessionEnded from error
        except OSError as error:  # lost, or too slow
            self.note_no_tls(error)
            session.buffer.abort()
            raise LostInHandshake from error

    def note_no_tls(self, error: OSError) -> None:
        """Write to the journal why a handshake failed, and what to do about it."""
        reason = str(getattr(error, "reason", "") or error) or type(error).__name__
        self._session.note_refused_quietly(
            "TLS", "TLS failed", reason=reason, remedy=_REMEDIES.get(reason)
        )

    async def _log_in(self, claim: Credentials) -> None:
        session, name = self._session, claim.name[:SHOWN]
        verdict = await session.server.logins.check(session.counted_as, claim.name, claim.password)
        match verdict:
            case Login():
                session.login = verdict
                session.say(replies.LOGGED_IN)
            case WrongPassword():
                session.refuse("AUTH", replies.WRONG_PASSWORD, login=name)
            case LockedOut(remaining):
                session.note_refused_quietly("AUTH", "too many wrong passwords", login=name)
                session.wrong(replies.locked_out(remaining))

    def _refusal_of_login(self, argument: str) -> Reply | None:
        session = self._session
        if session.helo is None:
            return replies.HELO_FIRST
        if session.listener.auth == "off":
            return replies.NO_LOGIN_HERE
        if not self._may_log_in():
            return replies.TLS_BEFORE_LOGIN
        if session.login is not None:
            return replies.ALREADY_LOGGED_IN
        return None if argument else replies.NEEDS_ARGUMENT

    def _may_log_in(self) -> bool:
        session, listener = self._session, self._session.listener
        return listener.auth != "off" and (
            session.tls is not None or listener.auth_in_clear or _is_this_machine(session.client)
        )

    async def _ask(self, challenge: bytes) -> bytes:
        self._session.say(b"334 " + challenge + b"\r\n")
        return (await self._session.buffer.line(secret=True)).rstrip(b"\r\n")


def _is_this_machine(client: str) -> bool:
    return client == LOCAL or ipaddress.ip_address(client).is_loopback
