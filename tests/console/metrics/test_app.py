"""What `[metrics] address` answers, and to whom."""

from ipaddress import ip_network

import aiohttp

from graphrelay.smtp.access.listener import Listener
from tests.console.metrics.conftest import Open, get

ELSEWHERE = (ip_network("192.0.2.0/24"),)


async def test_there_is_nothing_else_of_the_console(opened_at: Open) -> None:
    server, _ = await opened_at()
    for path in ("/", "/sign-in", "/queue", "/enter/x", "/static/console.js", "/metrics/.."):
        assert (await get(f"http://{server.address}{path}"))[0] == 404
    async with aiohttp.ClientSession() as session:
        answer = await session.post(f"http://{server.address}/metrics", data=b"x")
        assert answer.status == 405


async def test_nobody_else_may_ask(opened_at: Open) -> None:
    server, entries = await opened_at(Listener(address="127.0.0.1:0", allow_from=ELSEWHERE))
    status, text = await get(f"http://{server.address}/metrics")
    assert (status, text) == (403, "Refused: 127.0.0.1 is not in [metrics] allow_from.\n")
    assert entries[-1].event == "request-refused"


async def test_a_name_that_was_made_to_lead_here_is_refused(opened_at: Open) -> None:
    server, _ = await opened_at(hosts=("relay.contoso.com",))
    url = f"http://{server.address}/metrics"
    assert (await get(url, Host="evil.example"))[0] == 421
    assert (await get(url, Host="relay.contoso.com:9126"))[0] == 200
    assert (await get(url, Sec_Fetch_Site="cross-site"))[0] == 403


async def test_a_proxy_names_its_client(opened_at: Open) -> None:
    here = (ip_network("127.0.0.1/32"),)
    server, _ = await opened_at(proxy_from=here)
    url = f"http://{server.address}/metrics"
    assert (await get(url, X_Forwarded_For="192.0.2.9"))[0] == 403
    assert (await get(url, X_Forwarded_For="127.0.0.1"))[0] == 200
