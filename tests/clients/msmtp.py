"""msmtp, the `sendmail` of servers that have no mail system of their own."""

from pathlib import Path

from tests.clients.arrivals import LOGIN, Relay
from tests.tools import needs


def sendmail(relay: Relay, folder: Path) -> str:
    """The command for PHP's `sendmail_path` that hands mail to the relay."""
    where = f"host {relay.smtp_host}\nport {relay.smtp_port}\nauth off\ntls off\n"
    return _command(folder, where)


def sendmail_with_login(relay: Relay, folder: Path) -> str:
    """The same with STARTTLS and AUTH LOGIN."""
    return _command(
        folder,
        f"host localhost\nport {relay.tls_port}\nauth login\n"
        f"user {LOGIN.name}\npassword {LOGIN.password}\n"
        f"tls on\ntls_starttls on\ntls_trust_file {relay.ca_file}\n",
    )


def _command(folder: Path, where: str) -> str:
    program = needs("msmtp")
    settings = folder / "msmtprc"
    settings.write_text(
        f"account default\n{where}from root@web1.example.org\nallow_from_override on\n"
    )
    settings.chmod(0o600)
    return f"{program} --file={settings} --read-recipients -i"
