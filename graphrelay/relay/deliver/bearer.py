"""The token of one attempt: replaced once where Graph refuses it.

A token may be older than the consent that was given since, or have died before its time. So the
first refusal counts for nothing: a fresh one is fetched and the same request made again. If that
is refused as well, or there is no other, the lane pauses, as nothing else in it would be sent.

Where Graph says what the next token must say besides (a claims challenge), Entra is asked for just
that. Somebody else's newer token need not say it: it is tried, and counts for nothing either.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Protocol, TypeVar

from graphrelay.graph.outcome import TokenDoubt
from graphrelay.model import Delayed, Lane, Paused, Trouble
from graphrelay.oauth.answers import (
    EntraUnreachable,
    Granted,
    NotGranted,
    TokenAnswer,
    TokenRefused,
    Unauthorized,
    VaultProblem,
)

T = TypeVar("T")


class Tokens(Protocol):
    """What is needed of the TokenManager."""

    async def token(
        self, account: str, *, fresh: bool = False, challenge: str = ""
    ) -> TokenAnswer: ...


class Bearer:
    """Made for one attempt in one lane."""

    def __init__(self, tokens: Tokens, lane: Lane, granted: Granted) -> None:
        self._tokens = tokens
        self._lane = lane
        self._granted = granted
        self._is_fresh = False

    async def use(
        self, request: Callable[[str], Awaitable[T | TokenDoubt]]
    ) -> T | Paused | Delayed:
        """What `request` answers to a token that Graph takes, or why there is none."""
        answer = await request(self._granted.access_token)
        while isinstance(answer, TokenDoubt) and not self._is_fresh:
            fresh = await self._fresh(answer.claims or "")
            if not isinstance(fresh, Granted):
                return without_token(self._lane, fresh)
            self._granted = fresh
            answer = await request(fresh.access_token)
        return _refused(self._lane, answer) if isinstance(answer, TokenDoubt) else answer

    async def _fresh(self, challenge: str) -> TokenAnswer:
        """Another token than the one that was refused; somebody may have fetched it already."""
        current = await self._tokens.token(self._lane.account)
        if isinstance(current, Granted) and current.access_token != self._granted.access_token:
            self._is_fresh = not challenge
            return current
        self._is_fresh = True
        return await self._tokens.token(self._lane.account, fresh=True, challenge=challenge)


def without_token(lane: Lane, answer: NotGranted) -> Paused | Delayed:
    """Nothing was sent, as there was nothing to send it with."""
    account = f'account "{lane.account}"'
    match answer:
        case EntraUnreachable(reason=reason, retry_after=retry_after):
            text = f"{account}: no token could be fetched: {reason}"
            return Delayed(status="4.4.1", reason=text, retry_after=retry_after)
        case TokenRefused():
            reason = f"Microsoft refused a token ({answer.description or answer.error})"
        case Unauthorized(reason=reason) | VaultProblem(reason=reason):
            pass
    return Paused(
        trouble=Trouble.AUTHORIZATION,
        status="4.7.0",
        reason=f"{account}: {reason}",
        remedy=answer.remedy,
    )


def _refused(lane: Lane, doubt: TokenDoubt) -> Paused:
    """Graph refused two tokens, the second one fresh."""
    return replace(
        doubt.outcome,
        reason=f'account "{lane.account}", mailbox {lane.mailbox}: {doubt.outcome.reason}',
        remedy=f"graphrelay status {lane.account}",
    )
