"""Local logins: names and passwords of the relay itself, for devices that insist on them.

What is always true here: passwords are checked outside the event loop, a wrong one costs its client
more time with each try, and nobody pays for somebody else's guesses. Delays and locks hold for the
client's address, never for the name, and a password that was right a moment ago is accepted at once
even while another client behind the same address is locked out.

Passwords are kept as `$scrypt$ln=14,r=8,p=5$salt$key` (RFC 7914). A check takes 16 MiB and a fifth
of a second.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from graphrelay.clock import Clock

_LOG_COST: Final = 14
_BLOCK: Final = 8
_PARALLEL: Final = 5
_KEY_OCTETS: Final = 32
_HASH = re.compile(
    r"\$scrypt\$ln=(?P<cost>1?[0-9]|20),r=(?P<block>[1-9][0-9]?),p=(?P<parallel>[1-9][0-9]?)"
    r"\$(?P<salt>[A-Za-z0-9+/]+)\$(?P<key>[A-Za-z0-9+/]+)"
)

_REMEMBERED_FOR: Final = timedelta(minutes=5)
_FORGIVEN_AFTER: Final = timedelta(minutes=15)
_LOCKED_FOR: Final = timedelta(minutes=5)
_LOCKED_AT: Final = 10
_LONGEST_DELAY: Final = timedelta(seconds=16)
_KEPT: Final = 1024
"""Clients and passwords remembered at most."""


@dataclass(frozen=True, slots=True)
class Login:
    """A name that a client may log in with."""

    name: str
    password_hash: str = field(repr=False)
    """As `hash_password` makes it."""


@dataclass(frozen=True, slots=True)
class WrongPassword:
    """No such name, or another password; clients cannot find out which."""


@dataclass(frozen=True, slots=True)
class LockedOut:
    """Too many wrong passwords from this client; `remaining` until it may try again."""

    remaining: timedelta


Verdict = Login | WrongPassword | LockedOut

Run = Callable[[Callable[[str], bool], str], Awaitable[bool]]
"""Runs what takes a fifth of a second without stopping the event loop."""


@dataclass(frozen=True, slots=True)
class _Scrypt:
    cost: int
    block: int
    parallel: int
    salt: bytes
    key: bytes

    def matches(self, password: str) -> bool:
        key = _derive(password, self.salt, self.cost, self.block, self.parallel, len(self.key))
        return hmac.compare_digest(key, self.key)


def hash_password(text: str) -> str:
    """The hash for the configuration; a different one at each call."""
    salt = secrets.token_bytes(16)
    key = _derive(text, salt, _LOG_COST, _BLOCK, _PARALLEL, _KEY_OCTETS)
    return _write(salt, key)


def verify(password_hash: str, text: str) -> bool:
    """Whether `text` is the password. Takes a fifth of a second. Raises `ValueError` for a hash
    that `hash_password` cannot have made."""
    return _read(password_hash).matches(text)


def is_password_hash(text: str) -> bool:
    """Whether `verify` can work with it."""
    try:
        _read(text)
    except ValueError:
        return False
    return True


class LoginBook:
    """The logins, who has been guessing, and which passwords were right a moment ago."""

    def __init__(
        self, logins: tuple[Login, ...], clock: Clock, run: Run = asyncio.to_thread
    ) -> None:
        self._logins = {login.name: (login, _read(login.password_hash)) for login in logins}
        # Checked for names that do not exist, so that they take as long as those that do.
        self._nobody = _read(_write(secrets.token_bytes(16), secrets.token_bytes(_KEY_OCTETS)))
        self._clock = clock
        self._run = run
        self._pepper = secrets.token_bytes(32)
        self._remembered: OrderedDict[bytes, timedelta] = OrderedDict()
        self._guesses: OrderedDict[str, _Guesses] = OrderedDict()
        self._threads = asyncio.Semaphore(2)

    def with_logins(self, logins: tuple[Login, ...]) -> "LoginBook":
        """Other logins with the same memory of guesses and right passwords. Where the hash of a
        login has changed, its passwords are forgotten."""
        book = LoginBook(logins, self._clock, self._run)
        book._guesses = self._guesses
        book._pepper, book._remembered = self._pepper, self._remembered
        return book

    async def check(self, client: str, name: str, password: str) -> Verdict:
        """Whether the password is right; takes longer for a client that was wrong before."""
        login, scrypt = self._logins.get(name, (None, self._nobody))
        token = self._token(login, password) if login else b""
        if login and self._is_remembered(token):
            return login
        guesses = self._guesses_of(client)
        async with guesses.turn:
            now = self._clock.monotonic()
            if guesses.is_locked(now):
                return LockedOut(guesses.last + _LOCKED_FOR - now)
            await self._clock.sleep(guesses.delay(now))
            async with self._threads:
                right = await self._run(scrypt.matches, password)
            if login and right:
                self._remember(token)
                return login
            guesses.wrong(self._clock.monotonic())
            return WrongPassword()

    def _token(self, login: Login, password: str) -> bytes:
        right = f"{login.password_hash}\0{login.name}\0{password}"
        return hmac.digest(self._pepper, right.encode(), "sha256")

    def _is_remembered(self, token: bytes) -> bool:
        until = self._remembered.get(token)
        return until is not None and self._clock.monotonic() < until

    def _remember(self, token: bytes) -> None:
        self._remembered[token] = self._clock.monotonic() + _REMEMBERED_FOR
        self._remembered.move_to_end(token)
        while len(self._remembered) > _KEPT:
            self._remembered.popitem(last=False)

    def _guesses_of(self, client: str) -> "_Guesses":
        guesses = self._guesses.setdefault(client, _Guesses())
        self._guesses.move_to_end(client)
        while len(self._guesses) > _KEPT:
            self._guesses.popitem(last=False)
        return guesses


class _Guesses:
    """The wrong passwords of one client, which may try one password at a time."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.last = timedelta.min
        self._wrong = 0

    def wrong(self, now: timedelta) -> None:
        self._wrong = self._recent(now) + 1
        self.last = now

    def is_locked(self, now: timedelta) -> bool:
        """After the lock one try is allowed, and a wrong one locks again."""
        return self._recent(now) >= _LOCKED_AT and now - self.last < _LOCKED_FOR

    def delay(self, now: timedelta) -> timedelta:
        wrong = self._recent(now)
        if not wrong:
            return timedelta()
        return min(_LONGEST_DELAY, timedelta(seconds=2.0 ** (wrong - 2)))

    def _recent(self, now: timedelta) -> int:
        return self._wrong if self._wrong and now - self.last < _FORGIVEN_AFTER else 0


def _derive(text: str, salt: bytes, cost: int, block: int, parallel: int, octets: int) -> bytes:
    memory = 128 * block * (2**cost + parallel + 2)
    return hashlib.scrypt(
        text.encode(), salt=salt, n=2**cost, r=block, p=parallel, maxmem=2 * memory, dklen=octets
    )


def _write(salt: bytes, key: bytes) -> str:
    parts = [base64.b64encode(octets).rstrip(b"=").decode() for octets in (salt, key)]
    return f"$scrypt$ln={_LOG_COST},r={_BLOCK},p={_PARALLEL}${parts[0]}${parts[1]}"


def _read(password_hash: str) -> _Scrypt:
    match = _HASH.fullmatch(password_hash)
    if match is None:
        raise ValueError("not a password hash; make one with: graphrelay hash-password")
    try:
        salt, key = (
            base64.b64decode(match[part] + "=" * (-len(match[part]) % 4), validate=True)
            for part in ("salt", "key")
        )
    except binascii.Error as error:
        raise ValueError("a damaged password hash") from error
    if len(key) < 16 or len(salt) < 8 or int(match["cost"]) < 1:
        raise ValueError("a password hash that is too weak")
    return _Scrypt(int(match["cost"]), int(match["block"]), int(match["parallel"]), salt, key)
