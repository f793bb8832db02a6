"""What systemd hands to the service alone, read off its unit.

A systemd credential is seen by the service and by nobody else, root at a shell included. Whoever
acts for a service that is stopped must know that: a vault key of their own making would lock the
service out of what they store.

    /etc/systemd/system/graphrelay.service        the first directory that has it
    /etc/systemd/system/graphrelay.service.d/*    and the drop-ins of all of them, by name
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

NAME = "graphrelay.service"
STATES = Path("/var/lib")
"""Where `StateDirectory=` is, for a service of the system."""
DIRECTORIES = tuple(
    Path(directory) / "systemd/system"
    for directory in ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")
)
_HANDED_OVER = frozenset(
    {"LoadCredential", "LoadCredentialEncrypted", "SetCredential", "SetCredentialEncrypted"}
)


@dataclass(frozen=True, slots=True)
class ServiceUnit:
    """The part of the unit that matters here; nothing where no unit is installed."""

    credentials: tuple[str, ...] = ()
    """Names. Of `LoadCredential=` and `SetCredential=`, without which the service does not start;
    what `ImportCredential=` names need not exist."""
    state_directories: tuple[Path, ...] = ()

    def gives(self, credential: str) -> bool:
        return credential in self.credentials

    def keeps_its_state_in(self, directory: Path) -> bool:
        return directory.resolve() in {path.resolve() for path in self.state_directories}


def service_unit(directories: tuple[Path, ...] | None = None) -> ServiceUnit:
    """Read it, from `DIRECTORIES` unless others are named. What cannot be read counts as not
    there."""
    credentials: dict[str, list[str]] = {}
    states: list[str] = []
    for key, value in _settings(DIRECTORIES if directories is None else directories):
        if key in _HANDED_OVER:
            names = credentials.setdefault(key, [])
            if not value:  # An empty assignment begins the list anew.
                names.clear()
            names += [value.partition(":")[0]] if value else []
        elif key == "StateDirectory":
            states = [*states, *value.split()] if value else []
    return ServiceUnit(
        tuple(name for names in credentials.values() for name in names),
        tuple(STATES / state.partition(":")[0] for state in states),
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
