"""msmtp, the `sendmail` of servers that have no mail system of their own."""

from pathlib import Path

from tests.clients.arrivals import Relay
from tests.tools import needs


def sendmail(relay: Relay, folder: Path) -> str:
    """The command for PHP's `sendmail_path` that hands mail to the relay."""
    program = needs("msmtp")
    settings = folder / "msmtprc"
    settings.write_text(
        f"account default\nhost {relay.smtp_host}\nport {relay.smtp_port}\n"
        f"auth off\ntls off\nfrom root@web1.example.org\nallow_from_override on\n"
    )
    settings.chmod(0o600)
    return f"{program} --file={settings} --read-recipients -i"
