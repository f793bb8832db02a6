import httpx
import pytest

from graphrelay.sandbox.page.guard import MAIL_POLICY, PAGE_POLICY
from tests.sandbox.world import Graph, message

PATHS = ["/", "/reader.js", "/reader.css", "/api/messages", "/api/events", "/nothing"]


@pytest.mark.parametrize("path", PATHS)
async def test_every_answer_has_the_policy(page: httpx.AsyncClient, path: str) -> None:
    async with page.stream("GET", path) as answer:
        assert answer.headers["content-security-policy"] == PAGE_POLICY
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "localhost.evil.example", ""])
async def test_another_name_for_this_machine_is_refused(
    page: httpx.AsyncClient, path: str, host: str
) -> None:
    answer = await page.get(path, headers={"Host": host})
    assert answer.status_code == 421
    assert answer.headers["content-security-policy"] == PAGE_POLICY


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8025", "127.0.0.1:1", "[::1]:8025"])
async def test_the_names_of_this_machine_are_taken(page: httpx.AsyncClient, host: str) -> None:
    assert (await page.get("/api/messages", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_another_site_in_the_same_browser_is_refused(
    page: httpx.AsyncClient, graph: Graph, site: str
) -> None:
    await graph.send(message())
    answer = await page.delete("/api/messages", headers={"Sec-Fetch-Site": site})
    assert answer.status_code == 421
    assert (await page.get("/api/messages")).json()["total"] == 1


async def test_the_html_of_a_message_has_a_policy_of_its_own(
    page: httpx.AsyncClient, graph: Graph
) -> None:
    await graph.send(message().replace(b"Subject", b"Content-Type: text/html\r\nSubject"))
    answer = await page.get("/api/messages/1/html")
    assert answer.headers["content-security-policy"] == MAIL_POLICY
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert "script" not in MAIL_POLICY
    assert "default-src 'none'" in MAIL_POLICY
    assert "http" not in MAIL_POLICY
