"""The configuration: one TOML file, the environment over it, secrets from systemd credentials.

Everything is checked before anything starts, and every mistake is reported at once: the line, the
key, what is wrong and what is allowed. The result is the settings as written; `daemon/wiring.py`
turns them into the values that the other packages take.
"""

from graphrelay.config.load import ConfigDenied, ConfigError, Problem, load
from graphrelay.config.settings import Settings
from graphrelay.config.warnings import warnings

__all__ = ["ConfigDenied", "ConfigError", "Problem", "Settings", "load", "warnings"]
