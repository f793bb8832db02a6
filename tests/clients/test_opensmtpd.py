"""OpenSMTPD with the relay as its smarthost: TLS and login are demanded. It does not support
addresses in UTF-8 (RFC 6531)."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.processes import free_port, until_greeted
from tests.clients import letters
from tests.clients.arrivals import LOGIN, Relay
from tests.clients.own_machine import OwnMachine, User, own_machine
from tests.tools import needs

SMTPD = "/run/program/usr/sbin/smtpd"
USER = User("opensmtpd", 64_991)
QUEUE_USER = User("opensmtpq", 64_992)
CONFIGURATION = """
table secrets file:/etc/secrets
listen on 127.0.0.1 port {own_port}
action smarthost relay host smtp+tls://login@localhost:{port} auth <secrets>
match from any for any action smarthost
"""


@contextmanager
def smarthost_client(relay: Relay, folder: Path) -> Iterator[int]:
    """An OpenSMTPD that relays all mail; the port where it accepts mail."""
    package = needs("opensmtpd").parents[2]
    machine = own_machine(folder, package, USER, QUEUE_USER)
    machine.make_folder("/var/spool/smtpd", mode=0o711)
    machine.make_folder("/var/lib/opensmtpd/empty")
    machine.write("/etc/mailname", "opensmtpd.contoso.com\n")
    machine.write("/etc/ssl/certs/ca-certificates.crt", relay.ca_file.read_text("ascii"))
    machine.write("/etc/secrets", f"login {LOGIN.name}:{LOGIN.password}\n", mode=0o600)
    port, running = _started(machine, relay.tls_port)
    with running:
        yield port


def _started(machine: OwnMachine, relay_port: int, tries: int = 5) -> tuple[int, ExitStack]:
    """On a port that was free a moment ago; another process may have taken it since."""
    port = free_port()
    machine.write("/etc/smtpd.conf", CONFIGURATION.format(own_port=port, port=relay_port))
    with ExitStack() as stack:
        process = stack.enter_context(machine.running(SMTPD, "-d"))
        try:
            until_greeted(port, process)
        except RuntimeError:
            if tries == 1:
                raise
        else:
            return port, stack.pop_all()
    return _started(machine, relay_port, tries - 1)


async def test_every_kind_of_letter_arrives(relay: Relay, tmp_path: Path) -> None:
    with smarthost_client(relay, tmp_path / "opensmtpd") as port:
        await asyncio.to_thread(letters.hand_in, port, *letters.ASCII)
        await letters.assert_arrived(relay, *letters.ASCII)
