"""What runs in the process that reads the configuration (reading.py)."""

import pickle
import signal
import sys
from pathlib import Path

from graphrelay.config import ConfigError, load
from graphrelay.daemon.reading import Unusable
from graphrelay.daemon.relay_settings import Found
from graphrelay.daemon.wiring import wired
from graphrelay.memory import disable_core_dumps
from graphrelay.oauth.scenario import risk_of_any_user

ONLY_AT_START = ("state_directory", "cloud", "control", "delivery", "drop", "log", "spool", "vault")
"""The tables that only a restart puts in effect."""
WEB_ONLY_AT_START = ("address", "tls", "certificate_file", "key_file", "tls_minimum")
"""Where the console and metrics listen; all else of them changes with a reload."""


def main(path: str, *, may_be_missing: bool) -> None:
    """Write what is found to standard output, for `ConfigReading`."""
    disable_core_dumps()
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # the relay may have been stopped meanwhile
    sys.stdout.buffer.write(pickle.dumps(read(Path(path), may_be_missing=may_be_missing)))


def read(path: Path, *, may_be_missing: bool = False) -> Found | Unusable:
    """The configuration in `path`, with what is doubtful in it; or why it cannot be used."""
    try:
        settings = load(path, may_be_missing=may_be_missing)
    except ConfigError as error:
        return Unusable(path, tuple(map(str, error.problems)))
    values = wired(settings, path)
    risks = (
        f"accounts.{account.name}: {risk}"
        for account in values.accounts
        if (risk := risk_of_any_user(account))
    )
    tables = settings.model_dump(mode="json", include=set(ONLY_AT_START))
    for name in ("console", "metrics"):
        web = getattr(settings, name).model_dump(mode="json", include=set(WEB_ONLY_AT_START))
        tables |= {f"{name}.{key}": value for key, value in web.items()}
    return Found(values, (*values.shown.warnings, *risks), tables)
