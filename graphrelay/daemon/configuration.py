"""The configuration in effect, as the console shows it."""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from graphrelay.config import Settings, warnings
from graphrelay.config.in_force import in_force, read
from graphrelay.console.options import ConfiguredKey, ShownConfiguration
from graphrelay.daemon import wiring
from graphrelay.file_access import FileUser


@dataclass(slots=True)
class Configuration:
    """Settings and the file that they come from; a reload replaces the settings."""

    settings: Settings
    file: Path | None
    addresses: tuple[str, ...] = field(default=())
    """Where the SMTP server listens, once it does."""

    def shown(self, today: date) -> ShownConfiguration:
        """As it is now."""
        settings, file = self.settings, self.file
        found = warnings(file, settings, FileUser.this_process(), today) if file else ()
        return ShownConfiguration(
            file=str(file or "the environment"),
            keys=tuple(
                ConfiguredKey(one.key, one.value, one.source)
                for one in in_force(settings, read(file))
            ),
            warnings=tuple(map(str, found)),
            listeners=wiring.listeners_at(settings, self.addresses),
            logins=tuple(user.name for user in settings.smtp.users),
        )
