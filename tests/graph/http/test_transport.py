"""How a proxy is written, and what a connection is called in a message."""

import base64
from datetime import timedelta

import pytest

from graphrelay.graph.http.exchange import Timeouts
from graphrelay.graph.http.tls import client_context
from graphrelay.graph.http.transport import Endpoint, Proxy


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("http://proxy", Proxy("proxy", 8080)),
        ("http://proxy:3128/", Proxy("proxy", 3128)),
        ("https://proxy", Proxy("proxy", 443, tls=True)),
        ("http://[::1]:3128", Proxy("::1", 3128)),
    ],
)
def test_a_proxy_is_read_from_its_url(url: str, proxy: Proxy) -> None:
    assert Proxy.parse(url) == proxy


def test_a_login_at_the_proxy_is_decoded_before_it_is_encoded() -> None:
    proxy = Proxy.parse("http://me%40contoso:p%3Ass@proxy")
    assert base64.b64decode(proxy.authorization.removeprefix("Basic ")) == b"me@contoso:p:ss"


def test_a_message_names_the_proxy_where_there_is_one() -> None:
    limits = Timeouts(connect=timedelta(seconds=1))
    tls = client_context()
    assert Endpoint(tls, None, limits).peer("graph.microsoft.com") == "graph.microsoft.com"
    assert Endpoint(tls, Proxy("p", 1), limits).peer("graph.microsoft.com") == "the proxy p"


@pytest.mark.parametrize("url", ["", "localhost:8080", "ftp://x", "socks5://x:1", "http://"])
def test_a_url_that_is_not_a_proxys_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="http://host:port"):
        Proxy.parse(url)
