"""The configuration: one TOML file, the environment over it, secrets from systemd credentials.

Everything is checked before anything starts, and every mistake is told at once: the line, the
key, what is wrong and what is allowed. What comes out are settings as written; `wiring` turns
them into the values that the rooms take.
"""

from graphrelay.config.load import (
    ConfigError,
    Problem,
    load,
    written_control_socket,
    written_state_directory,
)
from graphrelay.config.settings import Settings

__all__ = [
    "ConfigError",
    "Problem",
    "Settings",
    "load",
    "written_control_socket",
    "written_state_directory",
]
