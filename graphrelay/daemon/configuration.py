"""The configuration in effect, as the console shows it."""

from dataclasses import dataclass, field, replace

from graphrelay.console.options import ShownConfiguration
from graphrelay.daemon.relay_settings import RelaySettings
from graphrelay.smtp.access.listener import Listener


@dataclass(slots=True)
class Configuration:
    """Settings in effect; a reload replaces them."""

    settings: RelaySettings
    addresses: tuple[str, ...] = field(default=())
    """Where the SMTP server listens, once it does."""

    def shown(self) -> ShownConfiguration:
        """As it was read, with the ports at which the relay really listens."""
        return replace(
            self.settings.shown, listeners=_really(self.settings.listeners, self.addresses)
        )


def _really(configured: tuple[Listener, ...], addresses: tuple[str, ...]) -> tuple[Listener, ...]:
    """With the addresses at which they really listen: a port 0 is another one there."""
    if len(configured) != len(addresses):
        return configured  # a name with several addresses
    return tuple(
        replace(one, address=address) for one, address in zip(configured, addresses, strict=True)
    )
