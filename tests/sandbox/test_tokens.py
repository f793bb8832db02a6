"""Access tokens as Graph sees them."""

import base64
import json
import random
from datetime import timedelta

import pytest

from graphrelay.sandbox import Principal, TokenIssuer, TokenProblem
from graphrelay.sandbox import tokens as module
from graphrelay.sandbox.directory import CONTOSO, MSA_TENANT, Directory, contoso
from tests.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def directory() -> Directory:
    return contoso()


@pytest.fixture
def issuer(directory: Directory, clock: FakeClock) -> TokenIssuer:
    return TokenIssuer(directory, clock.now, random.Random(1))


def message_of(found: Principal | TokenProblem) -> str:
    assert isinstance(found, TokenProblem)
    assert found.code == "InvalidAuthenticationToken"
    return found.message


def test_the_issuer_knows_whose_a_token_is(issuer: TokenIssuer, directory: Directory) -> None:
    app, user = directory.apps[0], directory.users[0]
    issued = issuer.for_user(app, user, {"Mail.Send"})
    found = issuer.principal_of(issued.token)
    assert found == issued.principal
    assert (found.upn, found.tid, found.client_id) == (user.upn, CONTOSO, app.client_id)
    assert found.scopes == {"Mail.Send"}
    assert not found.app_only


def test_an_application_may_have_no_roles(issuer: TokenIssuer, directory: Directory) -> None:
    app = directory.apps[1]
    app.roles.clear()
    found = issuer.principal_of(issuer.for_app(app, CONTOSO).token)
    assert isinstance(found, Principal)
    assert found.app_only
    assert found.roles == frozenset()


def test_a_role_taken_away_stays_in_the_tokens_that_carry_it(
    issuer: TokenIssuer, directory: Directory
) -> None:
    app = directory.apps[1]
    token = issuer.for_app(app, CONTOSO).token
    app.roles.clear()
    found = issuer.principal_of(token)
    assert isinstance(found, Principal)
    assert found.roles == {"Mail.Send"}


def test_lifetimes_are_spread_over_sixty_to_ninety_minutes(
    issuer: TokenIssuer, directory: Directory
) -> None:
    lives = {issuer.for_app(directory.apps[1], CONTOSO).lifetime for _ in range(20)}
    assert len(lives) > 10
    assert min(lives) >= timedelta(minutes=60) - timedelta(seconds=1)
    assert max(lives) <= timedelta(minutes=90)


async def test_a_token_ends_when_its_time_is_over(
    issuer: TokenIssuer, directory: Directory, clock: FakeClock
) -> None:
    issuer.lifetime = lambda: timedelta(minutes=5)
    work = issuer.for_user(directory.apps[0], directory.users[0], set()).token
    me = next(user for user in directory.users if user.tenant_id == MSA_TENANT)
    personal = issuer.for_user(directory.apps[0], me, set()).token
    await clock.advance(timedelta(minutes=5) - timedelta(seconds=1))
    assert isinstance(issuer.principal_of(work), Principal)
    await clock.advance(timedelta(seconds=1))
    assert message_of(issuer.principal_of(work)) == (
        "Lifetime validation failed, the token is expired."
    )
    assert "80049228" in message_of(issuer.principal_of(personal))


def test_what_was_never_issued_is_refused(issuer: TokenIssuer, directory: Directory) -> None:
    assert message_of(issuer.principal_of("")) == "Access token is empty."
    assert "80049217" in message_of(issuer.principal_of("nonsense"))
    assert "Invalid signature" in message_of(issuer.principal_of("a.b.c"))
    token = issuer.for_app(directory.apps[1], CONTOSO).token
    issuer.forget(token)
    assert "Invalid signature" in message_of(issuer.principal_of(token))


def test_a_claims_challenge_is_sent_in_base64(
    issuer: TokenIssuer, directory: Directory, clock: FakeClock
) -> None:
    user = directory.users[0]
    token = issuer.for_user(directory.apps[0], user, {"Mail.Send"}, cae=True).token
    directory.revoke_sessions(user, clock.now())
    problem = issuer.principal_of(token)
    assert isinstance(problem, TokenProblem)
    header = problem.www_authenticate("https://localhost:1")
    assert 'authorization_uri="https://localhost:1/common/oauth2/authorize"' in header
    claims = header.partition('claims="')[2].rstrip('"')
    assert json.loads(base64.b64decode(claims))["access_token"]["nbf"]["essential"] is True


def test_without_a_challenge_there_are_no_claims(issuer: TokenIssuer) -> None:
    problem = issuer.principal_of("nonsense")
    assert isinstance(problem, TokenProblem)
    assert "claims=" not in problem.www_authenticate("https://localhost:1")


def test_the_oldest_tokens_are_forgotten_first(
    issuer: TokenIssuer, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 2)
    tokens = [issuer.for_app(directory.apps[1], CONTOSO).token for _ in range(3)]
    assert [isinstance(issuer.principal_of(token), Principal) for token in tokens] == [
        False,
        True,
        True,
    ]
