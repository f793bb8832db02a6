"""What all tests stand on."""

import os
import signal
from collections.abc import Generator

import pytest

from tests import tools


def pytest_configure() -> None:
    """Ctrl-C works in what the tests start: a shell lets its background jobs ignore it, and that is
    handed down."""
    # Relays that tests start have no console, but for those that are about it.
    os.environ.setdefault("GRAPHRELAY_CONSOLE__ADDRESS", "off")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What the machine does not allow is one line of the summary, wherever the tests are: pytest
    counts together what was skipped at one place for one reason."""
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple) and tools.CANNOT in report.longrepr[2]:
        report.longrepr = (tools.__file__, 1, report.longrepr[2])
    return report
