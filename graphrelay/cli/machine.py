"""Commands as this machine runs them, for advice."""

import shlex
from pathlib import Path

USUAL_CONFIG = Path("/etc/graphrelay/config.toml")
_BOOTED = Path("/run/systemd/system")
"""There if systemd is the init system (sd_booted(3))."""
_UNITS = tuple(
    Path(directory, "graphrelay.service")
    for directory in (
        "/etc/systemd/system",
        "/run/systemd/system",
        "/usr/local/lib/systemd/system",
        "/usr/lib/systemd/system",
        "/lib/systemd/system",
    )
)


def program(config: Path) -> str:
    """How to call graphrelay for this configuration."""
    return (
        "graphrelay"
        if config == USUAL_CONFIG
        else f"graphrelay --config {shlex.quote(str(config))}"
    )


def start(config: Path, *, at_boot: bool = False) -> str:
    """How to start the relay: as a service where the unit is installed, and `at_boot` from now
    on."""
    if _is_service():
        return f"sudo systemctl {'enable --now' if at_boot else 'start'} graphrelay"
    return f"{program(config)} serve"


def restart(config: Path) -> str:
    """How to end the relay that runs and start it again."""
    if _is_service():
        return "sudo systemctl restart graphrelay"
    return f"{program(config)} serve   after the running one has ended"


def _is_service() -> bool:
    return _BOOTED.is_dir() and any(unit.exists() for unit in _UNITS)
