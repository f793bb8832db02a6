"""An address must use TLS, or be on this machine."""

import pytest

from graphrelay.alerts.address import mistake


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/x",
        "http://127.0.0.1.evil.example/",
        "http://localhost.example/",
        "ftp://x/",
        "https://",
        "https://x:y/",
        "https://[::1/",
        "https://x/a b",
        "",
    ],
)
def test_addresses_that_are_refused(url: str) -> None:
    assert mistake(url)


@pytest.mark.parametrize(
    "url",
    ["https://hooks.example/x?y=z", "http://127.0.0.1:9/x", "http://[::1]/", "http://localhost"],
)
def test_addresses_that_are_fine(url: str) -> None:
    assert mistake(url) == ""
