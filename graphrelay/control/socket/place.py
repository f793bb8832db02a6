"""Where the running relay listens for the command line, whatever else its configuration says.

Both ends find the socket by these rules. The command line reads them from the file by itself, and
loads none of what checks a configuration: that takes longer than the relay's answer, and needs
secrets that only the service may have (systemd credentials).
"""

import os
from pathlib import Path

from graphrelay import toml_file


def control_socket(config: Path) -> Path:
    """By the environment and the configuration file `config`, even if the file has mistakes.

    Raises `PermissionError` where the file must be read, and this process may not read it.
    """
    if socket := _path(config, "GRAPHRELAY_CONTROL__SOCKET", "control", "socket"):
        return socket
    return control_socket_in(state_directory_of(config))


def state_directory_of(config: Path) -> Path:
    """By the same rules."""
    written = _path(config, "GRAPHRELAY_STATE_DIRECTORY", "state_directory")
    return state_directory_or_default(written)


def spool_is_shared(config: Path) -> bool:
    """Whether the queue is in a database server, by the same rules."""
    urls = (("GRAPHRELAY_SPOOL__URL", "url"), ("GRAPHRELAY_SPOOL__URL_FILE", "url_file"))
    return any(_path(config, variable, "spool", key) for variable, key in urls)


def control_socket_in(directory: Path) -> Path:
    """The default: in the state directory, where both ends find it."""
    return directory / "control.sock"


def state_directory_or_default(written: Path | None) -> Path:
    """The configured one, else `$STATE_DIRECTORY` (systemd), else the user's own."""
    if written:
        return written
    if given := os.environ.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0])
    home = os.environ.get("XDG_STATE_HOME")
    return (Path(home) if home else Path.home() / ".local" / "state") / "graphrelay"


def _path(config: Path, variable: str, *key: str) -> Path | None:
    if given := os.environ.get(variable):
        return Path(given)
    try:
        written: object = toml_file.parse(toml_file.read(config))
    except PermissionError:
        raise
    except (OSError, ValueError):
        return None
    for part in key:
        written = written.get(part) if isinstance(written, dict) else None
    return Path(written) if isinstance(written, str) else None
