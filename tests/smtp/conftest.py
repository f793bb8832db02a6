"""Certificates for the listeners of the tests."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
import uvloop


@dataclass(frozen=True)
class Certificates:
    """A certificate for localhost, and a context that trusts it."""

    file: Path
    trust: ssl.SSLContext
    authority: trustme.CA

    def renew(self) -> None:
        """Put another certificate into the file."""
        self.authority.issue_cert(
            "localhost", "127.0.0.1"
        ).private_key_and_cert_chain_pem.write_to_path(str(self.file))


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Made once; a test that renews the certificate makes its own."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def make_certificates(folder: Path) -> Certificates:
    authority = trustme.CA()
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    made = Certificates(folder / "localhost.pem", trust, authority)
    made.renew()
    return made


_ON_BOTH_LOOPS = {"test_accepting", "test_dialogs", "test_tls", "test_proxy", "test_server"}
"""Where it matters how the loop hands over octets, TLS and endings."""


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loops on which a test runs: asyncio's own, and the one that `serve` uses if it is
    available."""
    loops: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    if item.path.stem in _ON_BOTH_LOOPS:
        loops["uvloop"] = uvloop.new_event_loop
    return loops
