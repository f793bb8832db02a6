"""The life of a token, with mail: what flows, what waits, and what resumes by itself.

On a clock that the test moves; the cloud uses the same clock.
"""

import asyncio
import json
import smtplib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from graphrelay.sandbox.directory import CLIENT_SECRET, PUBLIC_CLIENT, Secret
from graphrelay.sandbox.entra.token import TokenEndpoint
from graphrelay.sandbox.faults import Answer, CutBefore
from graphrelay.sandbox.graph.faults import TokenRefused
from graphrelay.sandbox.tokens import TokenIssuer
from tests.clock import FakeClock
from tests.e2e.scenarios import APPLICATIONS, PERSONS, Case, asked, confidential, relay_for
from tests.e2e.test_scenarios import signed_in, status
from tests.world import World

USER = next(case for case in PERSONS if str(case) == "user by paste")
ANY = next(case for case in APPLICATIONS if str(case) == "any-user by secret")
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture
def an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lifetime of every access token; otherwise it could exceed a day."""

    def life(issuer: TokenIssuer, cae: bool, lifetime: timedelta | None = None) -> object:
        issued_at = issuer._now()
        return {"issued_at": issued_at, "expires_at": issued_at + HOUR}

    monkeypatch.setattr(TokenIssuer, "_life", life)


@asynccontextmanager
async def authorized(
    case: Case, folder: Path, environment: pytest.MonkeyPatch
) -> AsyncIterator[tuple[World, FakeClock]]:
    clock = FakeClock()
    async with relay_for(case, folder, environment, clock=clock) as here:
        await authorize(here, case)
        yield here, clock


async def authorize(here: World, case: Case) -> None:
    if case is USER:
        last = (await signed_in(here, "paste", case.mailbox))[-1]
    else:
        *_, last = [event async for event in asked(here, "authorize", by="root")]
    assert last["kind"] == "authorized", last


async def send(here: World, subject: str, case: Case = ANY) -> None:
    def by_smtp() -> None:
        with smtplib.SMTP("127.0.0.1", here.port, timeout=30) as client:
            text = f"From: <{case.mailbox}>\r\nTo: alice@contoso.com\r\nSubject: {subject}\r\n\r\n"
            client.sendmail(case.mailbox, ["alice@contoso.com"], text)

    await asyncio.to_thread(by_smtp)


def subjects(here: World) -> list[str]:
    return [mail.head.subject for mail in here.cloud.mailboxes.submitted]


async def until(clock: FakeClock, done: Callable[[], bool]) -> timedelta:
    """Let time pass, minute by minute, until the condition holds; returns how long that took. What
    takes real time (a thread, a connection) is waited for first."""
    began = clock.monotonic()
    async with asyncio.timeout(30):
        while not done():
            await clock.advance(MINUTE)
            await asyncio.to_thread(lambda: None)
    return clock.monotonic() - began


def entra_requests(here: World) -> int:
    return sum(request.path.endswith("/token") for request in here.cloud.requests)


@pytest.mark.parametrize("case", [USER, ANY], ids=str)
@pytest.mark.usefixtures("an_hour")
async def test_a_token_that_expires_while_mail_waits_is_replaced_and_the_mail_goes_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: Case
) -> None:
    async with authorized(case, tmp_path, monkeypatch) as (here, clock):
        busy = Answer(status=503, part="graph")
        here.cloud.faults.on(busy)
        for number in range(6):
            await send(here, f"{number}", case)
        await here.event("delayed")
        before = entra_requests(here)
        entra = CutBefore(part="entra")
        here.cloud.faults.on(entra)
        await clock.advance(2 * HOUR)
        here.cloud.faults.off(busy)
        here.cloud.faults.off(entra)
        await until(clock, lambda: len(subjects(here)) == 6)
        assert sorted(subjects(here)) == list("012345")
        assert entra_requests(here) > before
        assert not here.events("failed")


async def test_entra_is_away_for_an_hour_and_mail_flows_with_the_token_at_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with authorized(USER, tmp_path, monkeypatch) as (here, clock):
        here.cloud.faults.on(CutBefore(part="entra"))
        for number in range(7):
            await send(here, f"{number}", USER)
            await here.cloud.mailboxes.arrived(number + 1)
            await clock.advance(HOUR / 6)
        assert subjects(here) == list("0123456")
        assert not here.events("delayed", "paused")


@pytest.mark.usefixtures("an_hour")
async def test_entra_is_away_without_a_token_and_the_mail_waits_and_goes_out_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with authorized(ANY, tmp_path, monkeypatch) as (here, clock):
        away = CutBefore(part="entra")
        here.cloud.faults.on(away)
        await clock.advance(2 * HOUR)
        for number in range(3):
            await send(here, f"{number}")
        await here.event("authorization-unreachable")
        await clock.advance(HOUR)
        assert subjects(here) == []
        assert not here.events("failed")
        here.cloud.faults.off(away)
        took = await until(clock, lambda: len(subjects(here)) == 3)
        assert took <= 2 * HOUR
        assert sorted(subjects(here)) == list("012")


async def test_a_session_that_is_revoked_pauses_the_lane_until_somebody_signs_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with authorized(USER, tmp_path, monkeypatch) as (here, clock):
        await send(here, "before", USER)
        await here.cloud.mailboxes.arrived(1)
        user = here.cloud.directory.user(USER.mailbox)
        assert user is not None
        await clock.advance(MINUTE)
        here.cloud.directory.revoke_sessions(user, clock.now())
        await send(here, "after", USER)
        paused = await here.event("paused")
        assert "graphrelay authorize website" in str(paused.fields["remedy"])
        assert (await status(here))["status"] == "Refused"
        await clock.advance(MINUTE)
        await authorize(here, USER)
        await here.cloud.mailboxes.arrived(2)
        assert subjects(here) == ["before", "after"]
        await here.event("resumed")


@pytest.mark.usefixtures("an_hour")
async def test_a_consent_that_is_withdrawn_is_noticed_within_the_hour_and_mail_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with authorized(USER, tmp_path, monkeypatch) as (here, clock):
        directory = here.cloud.directory
        user, app = directory.user(USER.mailbox), directory.app(PUBLIC_CLIENT)
        assert user is not None
        assert app is not None
        directory.withdraw(app, user)
        took = await until(clock, lambda: bool(here.events("authorization-refused")))
        assert took <= HOUR
        refused = here.events("authorization-refused")[0]
        assert refused.fields["kind"] == "consent"
        await clock.advance(2 * HOUR)
        await send(here, "waits", USER)
        await here.event("paused")
        assert subjects(here) == []
        await authorize(here, USER)
        await here.cloud.mailboxes.arrived(1)


@pytest.mark.usefixtures("an_hour")
async def test_a_secret_that_is_rotated_is_used_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with authorized(ANY, tmp_path, monkeypatch) as (here, clock):
        app = confidential(here.cloud)
        app.secrets[:] = [Secret(value="another~secret")]
        assert CLIENT_SECRET in (tmp_path / "app.secret").read_text("ascii")
        await until(clock, lambda: bool(here.events("authorization-refused")))
        await send(here, "with the old token")
        await here.cloud.mailboxes.arrived(1)
        await clock.advance(2 * HOUR)
        await send(here, "waits")
        await here.event("paused")
        (tmp_path / "app.secret").write_text("another~secret\n", "ascii")
        took = await until(clock, lambda: len(subjects(here)) == 2)
        assert took <= HOUR
        assert subjects(here) == ["with the old token", "waits"]
        assert here.events("authorization-works")


async def test_what_graph_wants_a_token_to_say_is_asked_of_entra_and_the_mail_goes_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    challenge = '{"access_token":{"nbf":{"essential":true,"value":"1790000000"}}}'
    real, forms = TokenEndpoint._answer, list[dict[str, str]]()

    def heard(self: TokenEndpoint, request: web.Request, form: dict[str, str]) -> dict[str, Any]:
        forms.append(form)
        return real(self, request, form)

    monkeypatch.setattr(TokenEndpoint, "_answer", heard)
    async with authorized(ANY, tmp_path, monkeypatch) as (here, _):
        here.cloud.faults.on(TokenRefused(claims=challenge, times=1))
        await send(here, "challenged")
        await here.cloud.mailboxes.arrived(1)
        wanted = json.loads(forms[-1]["claims"])["access_token"]
        assert wanted["nbf"] == {"essential": True, "value": "1790000000"}
        assert not here.events("delayed", "paused", "failed")
