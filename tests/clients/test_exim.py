"""Exim with the relay as its smarthost: TLS and login are demanded, and messages come in chunks
(BDAT), as it prefers."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.clients import letters
from tests.clients.arrivals import LOGIN, Relay
from tests.clients.own_machine import User, own_machine
from tests.tools import needs

EXIM = "/run/program/usr/sbin/exim4"
USER = User("Debian-exim", 64_990)
CONFIGURATION = """
exim_path = {exim}
primary_hostname = exim.contoso.com
disable_ipv6 = true
keep_environment =
host_lookup =
tls_advertise_hosts =
log_file_path = /var/log/exim4/%slog
log_selector = +smtp_confirmation
process_log_path = /var/spool/exim4/process
deliver_drop_privilege = true
smtputf8_advertise_hosts = *
acl_smtp_rcpt = accept

begin routers
smarthost:
  driver = manualroute
  route_list = * localhost byname
  self = send
  transport = relay

begin transports
relay:
  driver = smtp
  port = {port}
  hosts_require_tls = *
  tls_verify_hosts = *
  tls_verify_certificates = /etc/ca.pem
  hosts_require_auth = *

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  client_send = ^{login}^{password}
"""


@contextmanager
def smarthost_client(relay: Relay, folder: Path) -> Iterator[int]:
    """An Exim that relays all mail; the port where it accepts mail."""
    package = needs("exim").parents[2]
    machine = own_machine(folder, package, USER)
    for path in ("/var/spool/exim4", "/var/log/exim4", "/run/exim4"):
        machine.make_folder(path, owner=USER)
    machine.write("/etc/ca.pem", relay.ca_file.read_text("ascii"))
    configuration = CONFIGURATION.format(
        exim=EXIM, port=relay.tls_port, login=LOGIN.name, password=LOGIN.password
    )
    machine.write("/etc/exim4/exim4.conf", configuration)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        machine.running(EXIM, "-bw", stdin=listener),
    ):
        yield listener.getsockname()[1]


async def test_every_kind_of_letter_arrives(relay: Relay, tmp_path: Path) -> None:
    with smarthost_client(relay, tmp_path / "exim") as port:
        await asyncio.to_thread(letters.hand_in, port, *letters.ALL)
        await letters.assert_arrived(relay, *letters.ALL)
