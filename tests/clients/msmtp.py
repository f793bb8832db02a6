"""msmtp, the `sendmail` of servers that have no mail system of their own, set up as its page in the
documentation says."""

import re
from pathlib import Path

from tests.clients.arrivals import LOGIN, Relay
from tests.clients.pages import blocks, changed
from tests.tools import needs


def sendmail(relay: Relay, folder: Path) -> str:
    """The command for PHP's `sendmail_path` that hands mail to the relay."""
    plain, _ = blocks("msmtp")
    where = {"127.0.0.1": relay.smtp_host, "2525": str(relay.smtp_port)}
    return _command(folder, changed(plain, **where))


def sendmail_with_login(relay: Relay, folder: Path) -> str:
    """The same with STARTTLS and AUTH LOGIN."""
    plain, login = blocks("msmtp")
    where = {"127.0.0.1": "localhost", "2525": str(relay.tls_port)}
    without = re.sub(r"(?m)^(auth|tls) off\n", "", changed(plain, **where))
    as_whom = {"server1": LOGIN.name, "password …": f"password {LOGIN.password}"}
    authority = {"/etc/ssl/certs/ca-certificates.crt": str(relay.ca_file)}
    return _command(folder, without + changed(login, **as_whom, **authority))


def _command(folder: Path, text: str) -> str:
    program = needs("msmtp")
    settings = folder / "msmtprc"
    settings.write_text(text, "utf-8")
    settings.chmod(0o600)
    return f"{program} --file={settings} --read-recipients -i"
