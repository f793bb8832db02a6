"""The way to Microsoft: names, certificates, hosts, the clock, a proxy."""

import ssl
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from graphrelay.doctor import network
from graphrelay.doctor.finding import Different, LeftOut
from graphrelay.graph.http.exchange import Timeouts
from graphrelay.graph.http.transport import Endpoint
from graphrelay.graph.proxy import Proxy
from graphrelay.sandbox.faults import Answer
from tests.doctor.practice import HurriedClock, differing, only, practice
from tests.doctor.worlds import Row, finds, worlds_of


@pytest.mark.parametrize("row", worlds_of(network), ids=str)
async def test_a_wrong_date_is_found_and_named(row: Row, tmp_path: Path) -> None:
    await finds(row, tmp_path)


async def test_a_clock_that_is_wrong_is_named(tmp_path: Path) -> None:
    clock = HurriedClock(timedelta(minutes=-10))
    async with practice(tmp_path, clock=clock) as here:
        found = differing(await here.visit(only("clock")))
    assert found["clock"].startswith("different: ")
    assert "seconds behind" in found["clock"]


async def test_a_host_that_nobody_knows_is_named(tmp_path: Path) -> None:
    async with practice(tmp_path) as here:
        here.reach = replace(here.reach, graph_url="https://no-such-host.invalid")
        found = differing(await here.visit(only("dns", "tls", "hosts")))
    assert found["dns"].startswith("different: no-such-host.invalid: ")
    assert found["tls"].startswith("different: no-such-host.invalid: ")
    assert "Graph without a token: no-such-host.invalid could not be reached" in found["hosts"]


async def test_a_certificate_that_is_not_trusted_is_named(tmp_path: Path) -> None:
    async with practice(tmp_path) as here:
        stranger = Endpoint(ssl.create_default_context(), None, Timeouts())
        here.reach = replace(here.reach, endpoint=stranger)
        found = differing(await here.visit(only("dns", "tls", "hosts")))
    assert found.keys() == {"tls", "hosts"}
    assert "CERTIFICATE_VERIFY_FAILED" in found["tls"]
    assert "is not trusted" in found["hosts"]


async def test_something_that_answers_in_its_place_is_named(tmp_path: Path) -> None:
    async with practice(tmp_path) as here:
        page = Answer(status=200, body="<html>Please log in</html>", content_type="text/html")
        here.world.cloud.faults.on(page)
        found = await here.visit(only("hosts"))
    assert found["hosts"] == Different("Entra ID: HTTP 200; Graph without a token: HTTP 200")


async def test_with_a_proxy_it_is_said_what_the_proxy_does(tmp_path: Path) -> None:
    async with practice(tmp_path) as here:
        proxy = Proxy.parse("http://127.0.0.1:9")
        here.reach = replace(here.reach, endpoint=replace(here.reach.endpoint, proxy=proxy))
        found = await here.visit(only("dns", "tls", "hosts"))
    assert found["dns"] == LeftOut("the proxy 127.0.0.1 looks the names up")
    assert found["tls"] == LeftOut("connections go through the proxy 127.0.0.1: see hosts")
    assert "the proxy 127.0.0.1" in found["hosts"].seen
