"""Where a request comes from, by what the network and the browser say."""

from ipaddress import ip_network

import pytest
from multidict import CIMultiDict

from graphrelay.console.access.origin import caller, is_ours, may_connect, strange
from graphrelay.smtp.access.listener import Listener
from tests.console.conftest import options

PROXY = options(proxy_from=(ip_network("192.0.2.1/32"),))
FORWARDED = CIMultiDict(
    {"X-Forwarded-For": "203.0.113.9, 198.51.100.7", "X-Forwarded-Proto": "https"}
)


def test_without_a_proxy_the_client_is_who_connects_whatever_it_says() -> None:
    seen = caller(options(), ("127.0.0.1", 4711), FORWARDED)
    assert (seen.client, seen.is_secure, seen.is_here) == ("127.0.0.1", False, True)


def test_a_proxy_names_its_client_and_what_the_client_says_before_does_not_count() -> None:
    seen = caller(PROXY, ("192.0.2.1", 4711), FORWARDED)
    assert (seen.client, seen.is_secure, seen.is_here) == ("198.51.100.7", True, False)


def test_a_proxy_that_names_nobody_is_the_client() -> None:
    unknown = CIMultiDict({"X-Forwarded-For": "unknown"})
    assert caller(PROXY, ("192.0.2.1", 4711), unknown).client == "192.0.2.1"


@pytest.mark.parametrize(
    ("named", "client"),
    [
        ("198.51.100.7:4711", "198.51.100.7"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6"),
        ("2001:db8::7", "2001:db8::7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
    ],
)
def test_a_proxy_may_name_the_port_as_well(named: str, client: str) -> None:
    """As IIS does; its own address would pass for everybody's."""
    fields = CIMultiDict({"X-Forwarded-For": named})
    assert caller(PROXY, ("192.0.2.1", 4711), fields).client == client


def test_a_field_that_the_proxy_adds_counts_and_not_the_one_that_the_client_sent() -> None:
    fields = CIMultiDict(
        [
            ("X-Forwarded-For", "127.0.0.1"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-For", "198.51.100.7"),
            ("X-Forwarded-Proto", "http"),
        ]
    )
    seen = caller(PROXY, ("192.0.2.1", 4711), fields)
    assert (seen.client, seen.is_secure) == ("198.51.100.7", False)


def test_behind_a_unix_socket_is_a_proxy() -> None:
    assert caller(options(), "", FORWARDED).client == "198.51.100.7"
    assert caller(options(), "", CIMultiDict()).client == "unix"


def test_tls_of_our_own_is_secure() -> None:
    tls = options(listener=Listener(address="127.0.0.1:0", tls="implicit"))
    assert caller(tls, ("127.0.0.1", 1), CIMultiDict()).is_secure


def test_only_clients_of_the_named_networks_connect() -> None:
    lan = options(listener=Listener(address="0.0.0.0:0", allow_from=(ip_network("10.0.0.0/8"),)))
    assert may_connect(lan, "10.1.2.3")
    assert not may_connect(lan, "127.0.0.1")
    assert may_connect(lan, "unix")


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("localhost:8026", True),
        ("LOCALHOST", True),
        ("127.0.0.1:8026", True),
        ("[::1]:8026", True),
        ("[::1]", True),
        ("::1", False),
        ("[127.0.0.1]", False),
        ("[fe80::1%eth0]", False),
        ("192.168.7.3", True),
        ("console.contoso.com", True),
        ("Console.Contoso.com:443", True),
        ("evil.example:8026", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False),
        ("", False),
        ("localhost:8026:1", False),
        ("localhost:65535", True),
        ("localhost:", True),
        ("localhost:65536", False),
        ("localhost:99999999", False),
        ("localhost:٤", False),
    ],
)
def test_the_host_is_an_address_or_a_name_that_is_configured(host: str, ours: bool) -> None:
    assert is_ours(options(hosts=("console.contoso.com",)), host) is ours


HOST = {"Host": "127.0.0.1:8026"}


@pytest.mark.parametrize(
    ("method", "headers", "is_strange"),
    [
        ("GET", {}, False),
        ("GET", {"Sec-Fetch-Site": "none", "Sec-Fetch-Dest": "document"}, False),
        ("GET", {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "empty"}, False),
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}, False),
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe"}, True),
        ("GET", {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": "image"}, True),
        ("GET", {"Sec-Fetch-Site": "cross-site"}, True),
        ("GET", {"Sec-Fetch-Site": "other"}, True),
        ("POST", {}, False),
        ("POST", {"Origin": "http://127.0.0.1:8026", "Sec-Fetch-Site": "same-origin"}, False),
        ("POST", {"Origin": "http://127.0.0.1:8025", "Sec-Fetch-Site": "same-site"}, True),
        ("POST", {"Origin": "http://127.0.0.1:8025"}, True),
        ("POST", {"Origin": "https://evil.example"}, True),
        ("POST", {"Origin": "null"}, True),
        ("POST", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "document"}, True),
    ],
)
def test_other_sites_may_link_here_and_nothing_else(
    method: str, headers: dict[str, str], is_strange: bool
) -> None:
    assert bool(strange(method, {**HOST, **headers})) is is_strange
