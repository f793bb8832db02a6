"""STARTTLS and AUTH: who the client is, and that nobody listens.

What is always true here: what was said before the handshake counts for nothing after it (RFC 3207
section 4.2), and a password is asked for only in TLS, from this machine, or where the admin says
so.
"""

# ruff: noqa: N802 (the names of the commands are aiosmtpd's)

import ipaddress
import ssl
from datetime import timedelta
from typing import Final

from graphrelay.journal import events
from graphrelay.model import Reply
from graphrelay.smtp.access.admission import LOCAL
from graphrelay.smtp.access.login import LockedOut, Login, WrongPassword
from graphrelay.smtp.grammar import replies
from graphrelay.smtp.grammar.sasl import Credentials, credentials
from graphrelay.smtp.session.session import SHOWN, Finished, Session

_TLS_HANDSHAKE_TIME: Final = timedelta(seconds=30)
_REMEDIES: Final = {
    "WRONG_VERSION_NUMBER": "the client spoke in clear: set it to SSL/TLS, or to another listener",
    "UNSUPPORTED_PROTOCOL": 'the client knows only old versions of TLS: tls_minimum = "1.0"',
    "TLSV1_ALERT_UNKNOWN_CA": "the client does not trust the certificate of this listener",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "the client does not trust the certificate of this listener",
}
"""By the reason that OpenSSL gives: what an admin may do about it."""


class SecureSession(Session):
    """A session that can be encrypted and logged in."""

    async def smtp_STARTTLS(self, argument: str) -> None:
        """RFC 3207; what was sent ahead of the handshake ends the conversation."""
        if self._door.listener.tls != "starttls":
            self._wrong(replies.NO_TLS_HERE)
        elif self._tls is not None:
            self._wrong(replies.ALREADY_TLS)
        elif argument:
            self._wrong(replies.NO_ARGUMENT)
        elif self.wire.has_more:
            self._hang_up(replies.AHEAD_OF_TLS)
        else:
            self.wire.say(replies.READY_FOR_TLS)
            await self._start_tls()
            await self._begin_anew()

    async def smtp_AUTH(self, argument: str) -> None:
        """RFC 4954, after HELO too."""
        if (refusal := self._refusal_of_login(argument)) is not None:
            self._wrong(refusal)
            return
        claim = await credentials(argument, self._ask)
        if isinstance(claim, Reply):
            self._wrong(claim)
            return
        await self._log_in(claim)

    async def _start_tls(self) -> None:
        certificate = self._door.certificate
        assert certificate is not None  # noqa: S101 (the server reads it before it listens)
        self._is_tls = True
        try:
            self._tls = await self.wire.start_tls(self, certificate.context(), _TLS_HANDSHAKE_TIME)
        except OSError as error:
            self._tell_no_tls(error)
            if not isinstance(error, ssl.SSLError):
                # Lost, or overdue: no event loop tells a protocol what it loses during a handshake.
                self.wire.abort()
                self.connection_lost(None)
            raise Finished from error
        self._known_origin = None

    def connection_lost(self, error: Exception | None) -> None:
        """In TLS 1.3 we hear only after the handshake that the client did not like it."""
        super().connection_lost(error)
        if isinstance(error, ssl.SSLError):
            self._tell_no_tls(error)

    def _tell_no_tls(self, error: OSError) -> None:
        reason = str(getattr(error, "reason", "") or error) or type(error).__name__
        self._service.quiet.write(
            events.Refused(
                self._origin, "TLS", "TLS failed", reason=reason, remedy=_REMEDIES.get(reason)
            )
        )

    async def _begin_anew(self) -> None:
        """Forget what the client said of itself."""
        self._helo = self._login = self._known_origin = None

    async def _log_in(self, claim: Credentials) -> None:
        verdict = await self._service.logins.check(self.counted_as, claim.name, claim.password)
        match verdict:
            case Login():
                self._login = verdict
                self._known_origin = None
                self.wire.say(replies.LOGGED_IN)
            case WrongPassword():
                self._refuse("AUTH", replies.WRONG_PASSWORD, login=claim.name[:SHOWN])
            case LockedOut(remaining):
                self._service.quiet.write(
                    events.Refused(
                        self._origin, "AUTH", "too many wrong passwords", login=claim.name[:SHOWN]
                    )
                )
                self._wrong(replies.locked_out(remaining))

    def _refusal_of_login(self, argument: str) -> Reply | None:
        if self._helo is None:
            return replies.HELO_FIRST
        if self._door.listener.auth == "off":
            return replies.NO_LOGIN_HERE
        if not self._may_log_in():
            return replies.TLS_BEFORE_LOGIN
        if self._login is not None:
            return replies.ALREADY_LOGGED_IN
        return None if argument else replies.NEEDS_ARGUMENT

    def _may_log_in(self) -> bool:
        listener = self._door.listener
        return listener.auth != "off" and (
            self._tls is not None or listener.auth_in_clear or _is_this_machine(self.client)
        )

    async def _ask(self, challenge: bytes) -> bytes:
        self.wire.say(b"334 " + challenge + b"\r\n")
        return (await self.wire.line(secret=True)).rstrip(b"\r\n")


def _is_this_machine(client: str) -> bool:
    return client == LOCAL or ipaddress.ip_address(client).is_loopback
