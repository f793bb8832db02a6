"""HTTP for msal: our certificates, our proxy, our time limits, and nothing of the environment."""

import asyncio
import ssl
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from graphrelay.oauth.entra.msal_http import Http, RecordingClient, clock_error
from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.faults import Compressed, Endless, Fault

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def answer(**headers: str) -> httpx.Response:
    return httpx.Response(429, headers={name.replace("_", "-"): v for name, v in headers.items()})


def test_the_clock_of_no_answer_is_not_known() -> None:
    assert clock_error(None, NOW) is None
    assert clock_error(answer(Date="Fri, 31 Dec 9999 23:59:59 -1200"), NOW) is None


def test_the_servers_clock_is_read_from_its_date() -> None:
    late = answer(Date="Mon, 23 Nov 2026 11:50:00 GMT")
    assert clock_error(late, NOW) == timedelta(minutes=10)
    assert clock_error(answer(Date="yesterday"), NOW) is None


def test_a_form_goes_out_as_requests_would_send_it() -> None:
    """Octets as text (an assertion), numbers as text, and nothing for None."""
    seen: list[bytes] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request.content)
        return httpx.Response(200, json={})

    exchange = RecordingClient(httpx.Client(transport=httpx.MockTransport(handle)))
    exchange.post("https://x.invalid/", data={"a": b"ey.x", "n": 1, "claims": None, "s": "a b"})
    assert seen == [b"a=ey.x&n=1&s=a+b"]
    exchange.close()


def test_the_last_answer_is_forgotten_when_the_next_request_fails() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/down":
            raise httpx.ConnectError("refused")
        return httpx.Response(503)

    exchange = RecordingClient(httpx.Client(transport=httpx.MockTransport(handle)))
    exchange.get("https://x.invalid/up")
    assert exchange.last is not None
    with pytest.raises(httpx.ConnectError):
        exchange.get("https://x.invalid/down")
    assert exchange.last is None
    exchange.close()


async def test_the_environment_decides_neither_trust_nor_proxy(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "empty.pem").write_text("")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "empty.pem"))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with Sandbox() as cloud:
        http = Http(ssl.create_default_context(cafile=str(cloud.ca_file)))
        assert (await _get(http, f"{cloud.login_url}/contoso.com/v2.0/nothing")) == 404


async def test_another_authority_is_not_trusted() -> None:
    async with Sandbox() as cloud:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await _get(Http(ssl.create_default_context()), cloud.login_url)


async def _get(http: Http, url: str) -> int:
    def get() -> int:
        with http.client() as client:
            return client.get(url).status_code

    return await asyncio.to_thread(get)


BRIEF = timedelta(milliseconds=300)


async def ask(world: Sandbox, *faults: Fault, overall: timedelta = BRIEF) -> httpx.Response | str:
    """The result of a request, or why it failed."""
    world.faults.on(*faults)
    http = Http(ssl.create_default_context(cafile=str(world.ca_file)))

    def get() -> httpx.Response | str:
        exchange = RecordingClient(http.client(), overall)
        try:
            return exchange.get(
                f"{world.login_url}/contoso.com/v2.0/.well-known/openid-configuration"
            )
        except httpx.TransportError as error:
            return str(error)
        finally:
            exchange.close()

    async with asyncio.timeout(10):
        return await asyncio.to_thread(get)


async def test_an_answer_that_drips_in_ends_with_the_time_that_it_has() -> None:
    async with Sandbox() as cloud:
        said = await ask(cloud, Endless(what="octets", seconds=0.01))
        assert said in ("no whole answer came in time", "The read operation timed out")


async def test_informational_answers_without_an_end_are_cut_off() -> None:
    async with Sandbox() as cloud:
        said = await ask(cloud, Endless(what="informational"), overall=timedelta(seconds=9))
        assert said == "its answer is longer than 64 kB"


async def test_an_answer_without_an_end_is_cut_off_at_64_kb() -> None:
    async with Sandbox() as cloud:
        said = await ask(cloud, Endless(what="body"), overall=timedelta(seconds=9))
        assert said == "its answer is longer than 64 kB"


@pytest.mark.parametrize("padding", [0, 20_000_000])
async def test_what_comes_compressed_is_not_unpacked(padding: int) -> None:
    async with Sandbox() as cloud:
        tracemalloc.start()
        try:
            said = await ask(cloud, Compressed(padding=padding), overall=timedelta(seconds=9))
            assert tracemalloc.get_traced_memory()[1] < 10_000_000
        finally:
            tracemalloc.stop()
        assert said == "it answered HTTP 200, compressed ('gzip'), unasked"


def test_nothing_compressed_is_asked_for() -> None:
    with Http(ssl.create_default_context()).client() as client:
        assert client.headers["Accept-Encoding"] == "identity"


async def test_discovery_and_token_share_their_time() -> None:
    def slow(request: httpx.Request) -> httpx.Response:
        untils.append(request.extensions["graphrelay.until"])
        return httpx.Response(200)

    untils: list[float] = []
    exchange = RecordingClient(httpx.Client(transport=httpx.MockTransport(slow)))
    exchange.get("https://x.invalid/")
    exchange.get("https://x.invalid/")
    exchange.begin()
    exchange.get("https://x.invalid/")
    first, second, third = untils
    assert first == second < third


def test_a_proxys_password_is_in_no_repr() -> None:
    http = Http(ssl.create_default_context(), "http://user:geheim@proxy:3128")
    assert "geheim" not in repr(http)
