"""The server around both halves: recording, faults on the wire, and a clean shutdown."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from aiohttp import web

from graphrelay.sandbox import Sandbox, server
from graphrelay.sandbox.cloud import Recorded
from graphrelay.sandbox.faults import (
    Answer,
    AnswerAfter,
    CutAfter,
    CutBefore,
    Delay,
    ExtraHeaders,
    Fault,
    Stall,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
KEYS = "/common/discovery/v2.0/keys"
COUNTED = "/v1.0/counted"


def client_of(cloud: Sandbox) -> httpx.AsyncClient:
    tls = ssl.create_default_context(cafile=str(cloud.ca_file))
    return httpx.AsyncClient(base_url=cloud.login_url, verify=tls, trust_env=False)


class Counter:
    """A part of the cloud that counts what it processes."""

    def __init__(self) -> None:
        self.requests = 0
        self._more = asyncio.Condition()

    def register(self, app: web.Application, _cloud: Sandbox) -> None:
        app.router.add_post(COUNTED, self._count)

    async def reached(self, requests: int) -> None:
        async with self._more:
            await self._more.wait_for(lambda: self.requests >= requests)

    async def _count(self, _request: web.Request) -> web.Response:
        async with self._more:
            self.requests += 1
            self._more.notify_all()
        return web.Response(status=202)


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Counter:
    made = Counter()
    monkeypatch.setattr(server, "PARTS", (made.register, *server.PARTS))
    return made


@pytest.fixture
async def cloud() -> AsyncIterator[Sandbox]:
    async with Sandbox(now=lambda: NOW) as sandbox:
        yield sandbox


@pytest.fixture
async def http(cloud: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(cloud) as client:
        yield client


async def status(http: httpx.AsyncClient) -> int:
    return (await http.get(KEYS)).status_code


async def test_every_request_is_recorded(cloud: Sandbox, http: httpx.AsyncClient) -> None:
    await http.get(KEYS)
    await http.post("/nowhere/at/all")
    cloud.faults.on(CutAfter(times=1))
    with pytest.raises(httpx.RemoteProtocolError):
        await http.get(KEYS)
    assert list(cloud.requests) == [
        Recorded("GET", KEYS, 200, NOW),
        Recorded("POST", "/nowhere/at/all", 404, NOW),
        Recorded("GET", KEYS, 0, NOW),
    ]


async def test_an_answer_takes_the_place_of_the_true_one(
    cloud: Sandbox, http: httpx.AsyncClient
) -> None:
    html = "<html>Service Unavailable</html>"
    header = ("retry-after", "2.128")
    cloud.faults.on(
        Answer(status=503, body=html, content_type="text/html", headers=(header,), times=1)
    )
    answer = await http.get(KEYS)
    assert (answer.status_code, answer.text) == (503, html)
    assert answer.headers["content-type"] == "text/html"
    assert (b"retry-after", b"2.128") in answer.headers.raw
    assert await status(http) == 200


async def test_a_client_that_is_still_sending_gets_the_answer(
    cloud: Sandbox, http: httpx.AsyncClient
) -> None:
    cloud.faults.on(Answer(status=413))
    answer = await http.post("/v1.0/me/sendMail", content=bytes(8_000_000))
    assert answer.status_code == 413


async def test_headers_are_added_to_the_true_answer(
    cloud: Sandbox, http: httpx.AsyncClient
) -> None:
    cloud.faults.on(ExtraHeaders(headers=(("Retry-After", "30"),)))
    answer = await http.get(KEYS)
    assert (answer.status_code, answer.headers["Retry-After"]) == (200, "30")
    assert "keys" in answer.json()


@pytest.mark.parametrize("fault", [CutBefore(times=1), CutAfter(times=1)])
async def test_a_cut_connection_gives_no_answer(
    cloud: Sandbox, http: httpx.AsyncClient, fault: Fault
) -> None:
    cloud.faults.on(fault)
    with pytest.raises(httpx.RemoteProtocolError):
        await http.get(KEYS)
    assert await status(http) == 200


@pytest.mark.parametrize(
    ("fault", "processed"),
    [
        (Answer(status=503), 0),
        (CutBefore(), 0),
        (AnswerAfter(status=504), 1),
        (CutAfter(), 1),
        (ExtraHeaders(headers=()), 1),
    ],
)
async def test_a_fault_says_whether_the_request_is_processed(
    counter: Counter, cloud: Sandbox, http: httpx.AsyncClient, fault: Fault, processed: int
) -> None:
    cloud.faults.on(fault)
    with contextlib.suppress(httpx.RemoteProtocolError):
        await http.post(COUNTED)
    assert counter.requests == processed


async def test_a_delay_holds_the_answer_back(cloud: Sandbox, http: httpx.AsyncClient) -> None:
    cloud.faults.on(Delay(seconds=0.05))
    before = time.monotonic()
    assert await status(http) == 200
    assert time.monotonic() - before >= 0.05


async def test_what_processing_took_is_part_of_the_delay() -> None:
    came = asyncio.get_running_loop().time() - 600
    async with asyncio.timeout(60):
        await Delay(seconds=600).hold_back(came)


async def test_a_stalled_request_goes_on_when_the_fault_is_off(
    cloud: Sandbox, http: httpx.AsyncClient
) -> None:
    stall = Stall()
    cloud.faults.on(stall)
    async with asyncio.TaskGroup() as tasks:
        answer = tasks.create_task(http.get(KEYS))
        done, _ = await asyncio.wait([answer], timeout=0.05)
        assert not done
        cloud.faults.off(stall)
    assert answer.result().status_code == 200


async def test_part_of_the_cloud_can_be_down(cloud: Sandbox, http: httpx.AsyncClient) -> None:
    cloud.faults.on(CutBefore(part="entra"))
    with pytest.raises(httpx.RemoteProtocolError):
        await http.get(KEYS)
    assert (await http.get("/v1.0/nowhere")).status_code in (401, 404)


async def test_a_fault_may_mean_one_mailbox(cloud: Sandbox, http: httpx.AsyncClient) -> None:
    info, alice = cloud.directory.users[1:3]
    cloud.faults.on(Answer(status=507, mailbox="info@contoso.com"))
    assert (await http.get(f"/v1.0/users/{info.oid}/x")).status_code == 507
    assert (await http.get(f"/v1.0/users/{alice.oid}/x")).status_code != 507
    token = cloud.tokens.for_user(cloud.directory.apps[0], info, set()).token
    bearer = {"Authorization": f"Bearer {token}"}
    assert (await http.get("/v1.0/me/x", headers=bearer)).status_code == 507
    assert (await http.get("/v1.0/me/x")).status_code != 507


async def test_it_ends_at_once_with_requests_in_flight(counter: Counter) -> None:
    async with Sandbox() as cloud:
        http = client_of(cloud)
        cloud.faults.on(Delay(seconds=60))
        waiting = [asyncio.ensure_future(http.post(COUNTED)) for _ in range(5)]
        await counter.reached(5)
        before = time.monotonic()
    assert time.monotonic() - before < 30  # not the minute that they would have had
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(result, httpx.TransportError) for result in results)
    await http.aclose()


async def test_idle_connections_do_not_hold_it_up() -> None:
    async with Sandbox() as cloud:
        http = client_of(cloud)
        await asyncio.gather(*(http.get(KEYS) for _ in range(5)))
        before = time.monotonic()
    assert time.monotonic() - before < 30  # not the minute that they would have had
    await http.aclose()


async def test_it_leaves_nothing_behind() -> None:
    async with Sandbox() as cloud:
        ca_file = cloud.ca_file
        assert ca_file.exists()
    assert not ca_file.parent.exists()


async def test_the_authority_can_be_put_where_it_is_wanted(tmp_path: Path) -> None:
    async with Sandbox(directory_path=tmp_path) as cloud:
        assert cloud.ca_file.parent == tmp_path
    assert cloud.ca_file.exists()


async def test_a_port_in_use_is_reported_and_nothing_stays_open(cloud: Sandbox) -> None:
    port = int(cloud.login_url.rpartition(":")[2])
    with pytest.raises(OSError, match="address already in use"):
        async with Sandbox(port=port):
            raise AssertionError
