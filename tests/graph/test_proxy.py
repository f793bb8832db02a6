"""How a proxy is written."""

import base64

import pytest

from graphrelay.graph.proxy import Proxy


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


@pytest.mark.parametrize("url", ["", "localhost:8080", "ftp://x", "socks5://x:1", "http://"])
def test_a_url_that_is_not_a_proxys_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="http://host:port"):
        Proxy.parse(url)
