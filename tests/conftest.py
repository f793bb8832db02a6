"""What all tests stand on."""

import signal


def pytest_configure() -> None:
    """Ctrl-C works in what the tests start: a shell lets its background jobs ignore it, and that is
    handed down."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
