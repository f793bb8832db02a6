"""`[metrics] address`: metrics and health on a listener of their own, and nothing else there."""

import asyncio
import re
import ssl
from ipaddress import ip_network
from pathlib import Path

import aiohttp
import trustme

from graphrelay.console.options import MetricsOptions
from graphrelay.control.verb import VerbError
from graphrelay.smtp.access.listener import Listener
from tests.console.conftest import Opening, options
from tests.console.metrics.conftest import Open, get
from tests.world import world

PATHS = ("/metrics", "/healthz", "/readyz")
ELSEWHERE = (ip_network("192.0.2.0/24"),)


async def test_it_answers_without_anybody_signing_in(opened_at: Open) -> None:
    server, entries = await opened_at()
    for path in PATHS:
        assert (await get(f"http://{server.address}{path}"))[0] == 200
    assert entries[0].event == "metrics-listening"
    assert entries[0].fields["address"] == server.address


async def test_a_reload_names_other_clients(opened_at: Open) -> None:
    server, _ = await opened_at()
    url = f"http://{server.address}/metrics"
    assert (await get(url))[0] == 200
    server.options = MetricsOptions(listener=Listener(address="127.0.0.1:0", allow_from=ELSEWHERE))
    assert (await get(url))[0] == 403


async def test_it_serves_tls(opened_at: Open, tmp_path: Path) -> None:
    file = tmp_path / "both.pem"
    authority = trustme.CA()
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(file))
    server, _ = await opened_at(
        Listener(address="127.0.0.1:0", tls="implicit", certificate_file=file)
    )
    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"https://{server.address}/healthz", ssl=context) as answer,
    ):
        assert await answer.json() == {"alive": True, "accepting": True}


async def test_a_spool_that_cannot_be_read_is_no_health(opened_at: Open) -> None:
    server, _ = await opened_at(answers={"figures": VerbError("the disk is gone")})
    for path in PATHS:
        status, text = await get(f"http://{server.address}{path}")
        assert (status, "the disk is gone" in text) == (503, True)


async def test_an_address_in_use_is_a_line_in_the_journal(opened_at: Open) -> None:
    first, _ = await opened_at()
    second, entries = await opened_at(Listener(address=first.address))
    assert second.address == ""
    assert entries[0].event == "metrics-not-listening"
    assert "in use" in str(entries[0].fields["reason"])


async def test_the_console_has_them_no_more(opening: Opening) -> None:
    opened = await opening(options(metrics_from=None))
    operator = await opened.operator()
    for path in PATHS:
        assert (await operator.get(path)).status == 404
        assert (await (await opened.browser()).get(path)).status == 303


async def test_a_relay_without_a_console_has_them_and_counts_real_mail(tmp_path: Path) -> None:
    async with world(tmp_path, extra='\n[metrics]\naddress = "127.0.0.1:0"\n') as here:
        assert here.relay.console is None
        assert here.relay.metrics

        def submit(size: int) -> None:
            with here.client() as client:
                text = f"From: wp@contoso.com\r\nSubject: x\r\n\r\n{'x' * 70}\r\n" + "y\r\n" * size
                client.sendmail("wp@contoso.com", ["alice@contoso.com"], text)

        for number, size in enumerate((1, 50_000), 1):
            await asyncio.to_thread(submit, size)
            await here.until(lambda wanted=number: len(here.events("relayed")) == wanted)  # type: ignore[misc]
        url = f"http://{here.relay.metrics.address}"
        status, text = await get(f"{url}/metrics")
        assert status == 200
        found = dict(re.findall(r"(?m)^(graphrelay_\S+) (\S+)$", text))
        assert float(found['graphrelay_relayed_messages_total{account="website"}']) == 2
        assert float(found["graphrelay_commit_seconds_count"]) >= 4
        assert float(found["graphrelay_fsync_seconds_count"]) == 1, "the second has a file"
        assert float(found['graphrelay_token_expires_timestamp_seconds{account="website"}']) > 1e9
        assert (await get(f"{url}/readyz"))[0] == 200
