"""Fixtures and settings for all tests."""

import os
import signal
from collections.abc import Generator, Iterator

import pytest

from tests import tools
from tests.spool.postgres_server import PostgresServer, running


def pytest_configure() -> None:
    """Ctrl-C works in what the tests start: a shell lets its background jobs ignore it, and they
    pass that on."""
    # Relays that tests start have no console, except in tests of the console.
    os.environ.setdefault("GRAPHRELAY_CONSOLE__ADDRESS", "off")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tests that the machine does not allow are one line in the summary: pytest groups skipped
    tests by place and reason."""
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple) and tools.CANNOT in report.longrepr[2]:
        report.longrepr = (tools.__file__, 1, report.longrepr[2])
    return report


@pytest.fixture(scope="session")
def postgres_server_of_all() -> Iterator[PostgresServer]:
    """One for the whole run."""
    with running() as server:
        yield server


@pytest.fixture
def database(postgres_server_of_all: PostgresServer) -> str:
    """The URL of a database in which there is no spool yet."""
    postgres_server_of_all.execute("DROP SCHEMA IF EXISTS graphrelay CASCADE")
    return postgres_server_of_all.url()
