"""The credentials that systemd gives to the service alone, and where the service keeps its state.

Only the service can read a systemd credential; root at a shell cannot. A command that acts for a
stopped service has to take that into account: with a vault key of its own it would lock the service
out of what it stores.

systemd is asked with busctl(1). `systemctl show` asks the same manager, but prints credentials as
"[unprintable]".
"""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphrelay.oauth.vault import unit_files

NAME = "graphrelay.service"
STATES = Path("/var/lib")
"""Where `StateDirectory=` is, for a service of the system."""
_PROPERTIES = (
    "StateDirectory",
    # The service does not start without these; what `ImportCredential=` names need not exist. In
    # order of age, since busctl stops at the first one that this version of systemd lacks.
    "LoadCredential",
    "SetCredential",
    "LoadCredentialEncrypted",
    "SetCredentialEncrypted",
)
_ASK = (
    *("busctl", "--system", "--json=short", "--timeout=5", "get-property"),
    *("org.freedesktop.systemd1", "/org/freedesktop/systemd1/unit/graphrelay_2eservice"),
    *("org.freedesktop.systemd1.Service", *_PROPERTIES),
)


@dataclass(frozen=True, slots=True)
class ServiceUnit:
    """The part of the unit that matters here; nothing where no unit is installed."""

    credentials: tuple[str, ...] = ()
    """Names."""
    state_directories: tuple[Path, ...] = ()

    def gives(self, credential: str) -> bool:
        return credential in self.credentials

    def keeps_its_state_in(self, directory: Path) -> bool:
        return directory.resolve() in {path.resolve() for path in self.state_directories}


def is_the_service(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether systemd started this process as a service: then it has every credential there is."""
    return bool(environment.get("INVOCATION_ID")) and os.getppid() == 1


def service_unit() -> ServiceUnit:
    """The unit as systemd has loaded it; as its files say where systemd does not answer."""
    try:
        answer = subprocess.run(_ASK, capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return _by_its_files()
    if not answer.stdout:
        return _by_its_files()
    states, *credentials = [_data(line) for line in answer.stdout.splitlines()] or [[]]
    return ServiceUnit(
        tuple(name for listed in credentials for name, *_ in listed),
        tuple(STATES / state for state in states),
    )


def _by_its_files() -> ServiceUnit:
    credentials, states = unit_files.read()
    return ServiceUnit(credentials, tuple(STATES / state for state in states))


def _data(line: bytes) -> list[Any]:
    """`{"type":"a(ss)","data":[["vault.key","/etc/graphrelay/vault.key"]]}`"""
    return list(json.loads(line)["data"])
