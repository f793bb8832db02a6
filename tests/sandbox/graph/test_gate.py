import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from graphrelay.sandbox.directory import User, contoso
from graphrelay.sandbox.faults import Delay, Fault, Stall
from graphrelay.sandbox.graph.errors import GraphError
from graphrelay.sandbox.graph.gate import Gate
from graphrelay.sandbox.mailbox import Mailboxes
from tests.sandbox.world import World, code_of, message

SEND = "/v1.0/me/sendMail"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Moving:
    """A clock for the mailboxes and the gate."""

    def __init__(self) -> None:
        self.now = NOW
        self.mailboxes = Mailboxes(contoso(), lambda: self.now)
        self.gate = Gate(self.mailboxes)
        found = self.mailboxes._directory.user("wp@contoso.com")
        assert found is not None
        self.box: User = found

    def one(self, octets: int = 0) -> GraphError | None:
        """A request begins and ends."""
        try:
            with self.gate.passing("app", self.box, octets, self.now):
                return None
        except GraphError as error:
            return error


def test_four_are_let_in_at_once_and_the_fifth_is_throttled() -> None:
    world = Moving()
    inside = [world.gate.passing("app", world.box, 0, NOW) for _ in range(4)]
    for one in inside:
        one.__enter__()
    refused = world.one()
    assert refused is not None
    assert (refused.status, refused.code) == (429, "ApplicationThrottled")
    assert refused.headers == {"Retry-After": "1"}
    inside[0].__exit__(None, None, None)
    assert world.one() is None
    assert world.mailboxes.peak_in_flight("wp@contoso.com") == 5


def test_another_application_and_another_mailbox_have_places_of_their_own() -> None:
    world = Moving()
    for _ in range(4):
        world.gate.passing("app", world.box, 0, NOW).__enter__()
    other = world.mailboxes._directory.user("alice@contoso.com")
    assert other is not None
    for client_id, box in (("other", world.box), ("app", other)):
        with world.gate.passing(client_id, box, 0, NOW):
            pass


def test_budgets_are_off_by_default_and_open_again_with_time() -> None:
    world = Moving()
    assert all(world.one() is None for _ in range(20_000))
    world.mailboxes.settings.requests_per_10_minutes = 2
    assert world.one() is None
    world.now += timedelta(minutes=4)
    assert world.one() is None
    refused = world.one()
    assert refused is not None
    assert (refused.status, refused.code) == (429, "TooManyRequests")
    assert refused.headers == {"Retry-After": "360"}
    world.now += timedelta(minutes=6)
    assert world.one() is None


def test_uploads_have_a_budget_of_octets() -> None:
    world = Moving()
    world.mailboxes.settings.upload_octets_per_5_minutes = 100
    assert world.one(60) is None
    assert world.one(40) is None
    assert world.one(1) is not None
    assert world.one(0) is None


@pytest.mark.parametrize("retry_after", ["1", None])
async def test_five_requests_at_once_over_the_wire(
    world: World, retry_after: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = world.cloud
    cloud.mailboxes.settings.in_flight_retry_after = retry_after
    graph = await world.user()
    all_inside = when_inside(cloud.mailboxes, 4, monkeypatch)
    release = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        await release.wait()
        yield b"AAAA"

    async def slowly() -> httpx.Response:
        return await graph.http.post(
            "/me/sendMail", content=body(), headers={"Content-Type": "text/plain"}
        )

    slow = [asyncio.create_task(slowly()) for _ in range(4)]
    await all_inside.wait()
    answer = await graph.send(message())
    assert (answer.status_code, code_of(answer)) == (429, "ApplicationThrottled")
    assert answer.headers.get("retry-after") == retry_after
    release.set()
    await asyncio.gather(*slow)
    assert (await graph.send(message())).status_code == 202
    assert cloud.mailboxes.peak_in_flight("wp@contoso.com") == 5


def when_inside(
    mailboxes: Mailboxes, wanted: int, monkeypatch: pytest.MonkeyPatch
) -> asyncio.Event:
    """Set once this many are in flight."""
    inside, note = asyncio.Event(), mailboxes.note_in_flight

    def noted(user: User, count: int) -> None:
        note(user, count)
        if count == wanted:
            inside.set()

    monkeypatch.setattr(mailboxes, "note_in_flight", noted)
    return inside


@pytest.mark.parametrize("fault", [Stall(path=SEND), Delay(path=SEND, seconds=600)])
async def test_whoever_is_kept_waiting_is_in_flight_until_he_goes_away(
    world: World, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = world.cloud
    all_inside = when_inside(cloud.mailboxes, 4, monkeypatch)
    graph = await world.user(scopes="Mail.Send Mail.Read")
    cloud.faults.on(fault)
    waiting = [asyncio.create_task(graph.send(message())) for _ in range(4)]
    await all_inside.wait()
    assert (await graph.http.get("/me/messages")).status_code == 429
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    async with asyncio.timeout(10):
        while (await graph.http.get("/me/messages")).status_code == 429:
            pass
