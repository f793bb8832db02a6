"""The files of the service's unit, for where systemd's bus cannot be asked: a machine without
dbus-daemon.

    /etc/systemd/system/graphrelay.service        the first directory that has it
    /etc/systemd/system/graphrelay.service.d/*    and the drop-ins of all of them, by name
"""

from collections.abc import Iterator
from pathlib import Path

NAME = "graphrelay.service"
DIRECTORIES = tuple(
    Path(directory) / "systemd/system"
    for directory in ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")
)
_HANDED_OVER = frozenset(
    {"LoadCredential", "LoadCredentialEncrypted", "SetCredential", "SetCredentialEncrypted"}
)


def read(directories: tuple[Path, ...] = DIRECTORIES) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the credentials, and of the state directories. A file that cannot be read counts
    as absent."""
    credentials: dict[str, list[str]] = {}
    states: list[str] = []
    for key, value in _settings(directories):
        if key in _HANDED_OVER:
            names = credentials.setdefault(key, [])
            if not value:  # An empty assignment begins the list anew.
                names.clear()
            names += [value.partition(":")[0]] if value else []
        elif key == "StateDirectory":
            states = [*states, *value.split()] if value else []
    return (
        tuple(name for names in credentials.values() for name in names),
        tuple(state.partition(":")[0] for state in states),
    )


def _settings(directories: tuple[Path, ...]) -> Iterator[tuple[str, str]]:
    """Of [Service], in the order in which systemd reads them."""
    files = [path for path in (folder / NAME for folder in directories) if path.is_file()][:1]
    drop_ins: dict[str, Path] = {}
    for folder in directories:
        for path in (folder / f"{NAME}.d").glob("*.conf"):
            drop_ins.setdefault(path.name, path)
    for path in [*files, *(drop_ins[name] for name in sorted(drop_ins))]:
        yield from _settings_in(path)


def _settings_in(path: Path) -> Iterator[tuple[str, str]]:
    try:
        text = path.read_text("utf-8", errors="replace")
    except OSError:
        return
    section = ""
    for line in text.replace("\\\n", " ").splitlines():
        stripped = line.strip()
        if stripped.startswith("["):
            section = stripped
        elif section == "[Service]" and "=" in stripped and stripped[0] not in "#;":
            key, _, value = stripped.partition("=")
            yield key.strip(), value.strip()
