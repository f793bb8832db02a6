"""Webhooks over real sockets: what is posted, the result, and that no secret is ever shown."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from graphrelay.alerts.channel import AlertNotSent, Secret, Sent
from graphrelay.alerts.shapes import Shape, payload
from graphrelay.alerts.webhook import LONGEST_WAIT, TIME_LIMIT, Webhook
from tests.alerts.receiver import Receiver, receiving
from tests.alerts.story import an_alert
from tests.clock import FakeClock

ALERT = an_alert("it is broken & <@all>")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.mark.parametrize("shape", ["generic", "slack", "teams", "discord"])
async def test_each_shape_is_posted_as_json(receiver: Receiver, shape: Shape) -> None:
    assert await Webhook(url=Secret(receiver.url), shape=shape).send(ALERT) == Sent()
    assert receiver.posted == [payload(shape, ALERT)]
    assert receiver.headers[0]["Content-Type"] == "application/json"
    assert "Authorization" not in receiver.headers[0]


async def test_the_address_and_a_header_come_from_files_read_anew(
    receiver: Receiver, tmp_path: Path
) -> None:
    (tmp_path / "url").write_text(receiver.url + "\n")
    (tmp_path / "key").write_text("first")
    way = Webhook(
        url=Secret(file=tmp_path / "url"),
        header="X-Key",
        header_value=Secret(file=tmp_path / "key"),
    )
    assert await way.send(ALERT) == Sent()
    (tmp_path / "key").write_text("second")
    assert await way.send(ALERT) == Sent()
    assert [headers["X-Key"] for headers in receiver.headers] == ["first", "second"]
    (tmp_path / "key").unlink()
    outcome = await way.send(ALERT)
    assert isinstance(outcome, AlertNotSent)
    assert "key" in outcome.reason
    assert outcome.again


@pytest.mark.parametrize(
    ("status", "again"), [(400, False), (404, False), (302, False), (429, True), (503, True)]
)
async def test_only_what_may_pass_is_worth_another_try(
    receiver: Receiver, status: int, again: bool
) -> None:
    receiver.answers.append((status, "no_service", {"Location": "https://elsewhere.example/"}))
    outcome = await Webhook(url=Secret(receiver.url)).send(ALERT)
    assert outcome == AlertNotSent(f"answered {status}: no_service", again=again)
    assert len(receiver.posted) == 1


@pytest.mark.parametrize(
    ("said", "wait"),
    [("7", timedelta(seconds=7)), ("0.5", timedelta(seconds=0.5)), ("99999999", LONGEST_WAIT)],
)
async def test_it_is_left_alone_as_long_as_it_asks_for_within_reason(
    receiver: Receiver, said: str, wait: timedelta
) -> None:
    receiver.answers.append((429, "", {"Retry-After": said}))
    outcome = await Webhook(url=Secret(receiver.url)).send(ALERT)
    assert isinstance(outcome, AlertNotSent)
    assert outcome.after == wait


async def test_no_secret_is_shown_even_if_the_other_side_sends_it_back(receiver: Receiver) -> None:
    way = Webhook(url=Secret(receiver.url), header_value=Secret("Bearer hush-hush"))
    said = f"bad token hush-hush in Bearer hush-hush at {receiver.url} geheim1234"
    receiver.answers.append((400, said.replace("geheim1234", "/services/T0/B0/geheim1234"), {}))
    outcome = await way.send(ALERT)
    assert isinstance(outcome, AlertNotSent)
    for told in (outcome.reason, way.name, repr(way)):
        assert "hush" not in told
        assert "geheim" not in told


@pytest.mark.parametrize(
    "said",
    [
        "{:x>150}",
        "no such path: {}",
        "the token geheim5678geheim5678 of this workflow is unknown",
        "bad signature: hush%2Bhush%2Fx or hush+hush/x",
        r'{{"error": "\/workflows\/geheim5678geheim5678\/run"}}',
    ],
)
async def test_no_part_of_a_long_address_is_shown_where_the_answer_is_cut(
    receiver: Receiver, said: str
) -> None:
    host = receiver.url.partition("/services")[0]
    path = "/workflows/geheim5678geheim5678/run?version=1&sig=hush%2Bhush%2Fx"
    receiver.answers.append((400, said.format(path), {}))
    outcome = await Webhook(url=Secret(host + path)).send(ALERT)
    assert isinstance(outcome, AlertNotSent)
    assert "geh" not in outcome.reason
    assert "hush" not in outcome.reason
    assert len(outcome.reason) < 150


async def test_an_endless_answer_is_not_read_to_its_end() -> None:
    async def endless(_: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(status=400)
        await answer.prepare(_)
        try:
            while True:
                await answer.write(b"x" * 10_000)
        except ConnectionError:
            return answer

    application = web.Application()
    application.router.add_post("/", endless)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        outcome = await Webhook(url=Secret(url)).send(ALERT)
    finally:
        await runner.cleanup()
    assert isinstance(outcome, AlertNotSent)
    assert len(outcome.reason) < 200


async def test_nobody_there_is_worth_another_try_and_a_sentence() -> None:
    outcome = await Webhook(url=Secret("http://127.0.0.1:1/geheim")).send(ALERT)
    assert isinstance(outcome, AlertNotSent)
    assert outcome.again
    assert "could not be reached" in outcome.reason
    assert "geheim" not in outcome.reason


async def test_an_address_that_is_refused_is_not_tried_again() -> None:
    outcome = await Webhook(url=Secret("http://hooks.example/x")).send(ALERT)
    assert isinstance(outcome, AlertNotSent)
    assert "https://" in outcome.reason
    assert not outcome.again


async def test_silence_is_cut_off(receiver: Receiver) -> None:
    receiver.hang = asyncio.Event()
    clock = FakeClock()
    sending = asyncio.create_task(Webhook(url=Secret(receiver.url), clock=clock).send(ALERT))
    await receiver.asked.wait()
    await clock.advance(TIME_LIMIT)
    outcome = await sending
    receiver.hang.set()
    assert isinstance(outcome, AlertNotSent)
    assert outcome.again


async def test_a_server_that_nobody_vouches_for_gets_nothing() -> None:
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    receiver = Receiver()
    application = web.Application()
    application.router.add_post("/", receiver.take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server)
    await site.start()
    url = Secret(f"https://127.0.0.1:{runner.addresses[0][1]}/")
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    try:
        refused = await Webhook(url=url).send(ALERT)
        assert isinstance(refused, AlertNotSent)
        assert "certificate" in refused.reason.lower()
        assert receiver.posted == []
        assert await Webhook(url=url, tls=trusting).send(ALERT) == Sent()
    finally:
        await runner.cleanup()


async def test_the_proxies_of_the_environment_are_not_used(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
        monkeypatch.setenv(name.lower(), "http://127.0.0.1:1")
    assert await Webhook(url=Secret(receiver.url)).send(ALERT) == Sent()
    outcome = await Webhook(url=Secret(receiver.url), proxy="http://127.0.0.1:1").send(ALERT)
    assert isinstance(outcome, AlertNotSent)
