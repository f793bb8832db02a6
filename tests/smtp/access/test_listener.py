"""Which listeners are allowed, and which would be open relays."""

import ipaddress
from pathlib import Path
from typing import Any

import pytest

from graphrelay.smtp.access.listener import (
    InheritedEndpoint,
    Listener,
    ListenError,
    TcpEndpoint,
    UnixEndpoint,
    endpoint,
    mistake,
    strangers_can_reach,
)


def listener(address: str, *networks: str, **more: Any) -> Listener:
    if networks:
        more["allow_from"] = tuple(ipaddress.ip_network(network) for network in networks)
    return Listener(address=address, **more)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:2525", TcpEndpoint("127.0.0.1", 2525)),
        ("[::1]:25", TcpEndpoint("::1", 25)),
        ("localhost:0", TcpEndpoint("localhost", 0)),
        ("unix:/run/graphrelay/smtp", UnixEndpoint(Path("/run/graphrelay/smtp"))),
        ("systemd:submission", InheritedEndpoint("submission")),
    ],
)
def test_an_address_is_read(address: str, expected: object) -> None:
    assert endpoint(address) == expected


@pytest.mark.parametrize(
    "address",
    [
        *("", "2525", "host", ":25", "::1:25", "h:99999", "h:-1", "h:x", "unix:x", "systemd:"),
        *("relay..example:25", f"{'h' * 64}:25"),
    ],
)
def test_what_is_no_address_is_said_so(address: str) -> None:
    with pytest.raises(ListenError, match="write host:port"):
        endpoint(address)


@pytest.mark.parametrize(
    "safe",
    [
        listener("127.0.0.1:25", "0.0.0.0/0"),
        listener("[::1]:25", "::/0"),
        listener("localhost:25", "0.0.0.0/0"),
        listener("unix:/run/smtp", "0.0.0.0/0"),
        listener("0.0.0.0:25", "0.0.0.0/0", auth="required"),
        listener("0.0.0.0:25", "0.0.0.0/0", open_relay=True),
        listener("0.0.0.0:25", "192.168.0.0/16", "10.0.0.0/8", "fd00::/8"),
        listener("0.0.0.0:25", "203.0.113.0/24", "2001:db8:1::/56"),
        listener("0.0.0.0:25"),
    ],
    ids=lambda safe: f"{safe.address} {safe.auth}",
)
def test_a_listener_for_known_clients_is_no_open_relay(safe: Listener) -> None:
    assert strangers_can_reach(safe) is None


@pytest.mark.parametrize(
    "open_relay",
    [
        listener("0.0.0.0:25", "0.0.0.0/0"),
        listener("0.0.0.0:25", "0.0.0.0/0", auth="optional"),
        listener("[::]:25", "::/0"),
        listener("mail.example:25", "203.0.0.0/16"),
        listener("systemd:smtp", "0.0.0.0/0"),
        listener("192.168.1.5:25", "192.168.0.0/16", "128.0.0.0/1"),
        listener("192.168.1.5:25", "192.0.0.0/8"),
    ],
    ids=lambda wide: f"{wide.address} {wide.allow_from[-1]}",
)
def test_an_open_relay_is_named_with_its_networks(open_relay: Listener) -> None:
    reason = strangers_can_reach(open_relay)
    assert reason is not None
    assert open_relay.address in reason
    assert str(open_relay.allow_from[-1]) in reason
    assert "open relay" in reason


def test_only_the_wide_networks_are_named() -> None:
    reason = strangers_can_reach(listener("0.0.0.0:25", "10.0.0.0/8", "0.0.0.0/0"))
    assert reason is not None
    assert "10.0.0.0/8" not in reason


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (listener("nowhere"), "is not an address"),
        (listener("127.0.0.1:465", tls="implicit"), "certificate_file"),
        (listener("127.0.0.1:25", allow_from=()), "nobody could connect"),
        (listener("0.0.0.0:25", auth="required"), "auth_in_clear"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.address,
)
def test_a_listener_that_can_serve_nobody_is_a_mistake(wrong: Listener, expected: str) -> None:
    assert expected in (mistake(wrong) or "")


@pytest.mark.parametrize(
    "right",
    [
        listener("127.0.0.1:2525"),
        listener("127.0.0.1:2525", auth="required"),
        listener("0.0.0.0:25", auth="required", auth_in_clear=True),
        listener("0.0.0.0:25", auth="required", tls="starttls", certificate_file=Path("x.pem")),
        listener("unix:/run/smtp", allow_from=()),
    ],
    ids=lambda value: f"{value.address} {value.auth}",
)
def test_a_listener_that_serves_somebody_is_none(right: Listener) -> None:
    assert mistake(right) is None
