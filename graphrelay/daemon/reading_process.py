"""What runs in the process that reads the configuration (reading.py)."""

import pickle
import sys
from datetime import UTC, datetime
from pathlib import Path

from graphrelay.config import ConfigError, load, warnings
from graphrelay.daemon.reading import Unusable
from graphrelay.daemon.relay_settings import Found
from graphrelay.daemon.wiring import wired
from graphrelay.file_access import FileUser
from graphrelay.memory import disable_core_dumps
from graphrelay.oauth.scenario import risk_of_any_user

ONLY_AT_START = ("state_directory", "cloud", "control", "delivery", "drop", "log", "vault")
"""The tables that only a restart puts in force."""


def main(path: str) -> None:
    """Write what is found to standard output, for `Reading`."""
    disable_core_dumps()
    sys.stdout.buffer.write(pickle.dumps(read(Path(path))))


def read(path: Path) -> Found | Unusable:
    """The configuration in `path`, with what is doubtful in it; or why it cannot be used."""
    try:
        settings = load(path)
    except ConfigError as error:
        return Unusable(path, tuple(map(str, error.problems)))
    values = wired(settings)
    today = datetime.now(UTC).date()
    doubts = [str(doubt) for doubt in warnings(path, settings, FileUser.this_process(), today)]
    doubts += [
        f"accounts.{account.name}: {risk}"
        for account in values.accounts
        if (risk := risk_of_any_user(account))
    ]
    tables = settings.model_dump(mode="json", include=set(ONLY_AT_START))
    return Found(values, tuple(doubts), tables)
