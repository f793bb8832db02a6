"""The token of one attempt: what is asked for, and when it is given up."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta

from graphrelay.graph.outcome import TokenDoubt
from graphrelay.model import Lane, Paused, Trouble
from graphrelay.oauth.answers import Granted, TokenAnswer, TokenRefused
from graphrelay.relay.deliver.bearer import Bearer
from tests.clock import FakeClock

LANE = Lane("website", "wp@contoso.com")
CHALLENGE = '{"access_token":{"nbf":{"essential":true,"value":"1790000000"}}}'
PAUSED = Paused(trouble=Trouble.AUTHORIZATION, status="4.7.0", reason="no", remedy="")


def granted(token: str) -> Granted:
    return Granted(access_token=token, expires_at=FakeClock().now() + timedelta(hours=1))


@dataclass
class Tokens:
    """Holds one, and hands out the next when it is asked for a fresh one."""

    held: str = "old"
    then: list[TokenAnswer] = field(default_factory=lambda: [granted("new"), granted("newer")])
    fetched: list[str] = field(default_factory=list)
    """The challenge of each time that a fresh one was asked for."""

    async def token(self, account: str, *, fresh: bool = False, challenge: str = "") -> TokenAnswer:
        if fresh:
            self.fetched.append(challenge)
            return self.then.pop(0)
        return granted(self.held)


def graph(takes: str, claims: str | None = None) -> Callable[[str], Awaitable[str | TokenDoubt]]:
    """Graph, which takes one token and doubts all others."""

    async def request(token: str) -> str | TokenDoubt:
        return "sent" if token == takes else TokenDoubt(PAUSED, claims)

    return request


async def test_a_token_that_is_taken_is_all_that_is_needed() -> None:
    tokens = Tokens()
    assert await Bearer(tokens, LANE, granted("old")).use(graph("old")) == "sent"
    assert tokens.fetched == []


async def test_a_token_that_is_doubted_is_replaced_once() -> None:
    tokens = Tokens()
    assert await Bearer(tokens, LANE, granted("old")).use(graph("new")) == "sent"
    answer = await Bearer(tokens, LANE, granted("old")).use(graph("none"))
    assert isinstance(answer, Paused)
    assert tokens.fetched == ["", ""]


async def test_what_graph_wants_the_token_to_say_is_asked_of_entra() -> None:
    tokens = Tokens()
    assert await Bearer(tokens, LANE, granted("old")).use(graph("new", CHALLENGE)) == "sent"
    assert tokens.fetched == [CHALLENGE]


async def test_a_token_that_somebody_else_fetched_is_tried_first() -> None:
    tokens = Tokens(held="theirs")
    assert await Bearer(tokens, LANE, granted("old")).use(graph("theirs", CHALLENGE)) == "sent"
    assert tokens.fetched == []


async def test_a_challenge_is_answered_although_somebody_else_fetched_a_token_without_it() -> None:
    tokens = Tokens(held="theirs")
    assert await Bearer(tokens, LANE, granted("old")).use(graph("new", CHALLENGE)) == "sent"
    assert tokens.fetched == [CHALLENGE]


async def test_a_challenge_that_entra_refuses_pauses_the_lane_with_its_remedy() -> None:
    refused = TokenRefused(
        error="interaction_required", kind="mfa", remedy="Run: graphrelay authorize website"
    )
    tokens = Tokens(then=[refused])
    answer = await Bearer(tokens, LANE, granted("old")).use(graph("new", CHALLENGE))
    assert isinstance(answer, Paused)
    assert answer.remedy == refused.remedy


async def test_a_challenge_that_never_ends_is_given_up() -> None:
    tokens = Tokens()
    answer = await Bearer(tokens, LANE, granted("old")).use(graph("none", CHALLENGE))
    assert isinstance(answer, Paused)
    assert tokens.fetched == [CHALLENGE]
