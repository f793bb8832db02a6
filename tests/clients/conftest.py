"""The endpoint that the programs send to: a relay, with a cloud behind it."""

import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from graphrelay.sandbox.mailbox_settings import MailSettings
from graphrelay.smtp.access.login import hash_password
from tests.clients import wordpress_site
from tests.clients.arrivals import LOGIN, Arrival, Relay, Sendmail
from tests.clients.wordpress_site import Site
from tests.tools import ROOT
from tests.world import World, world


class Relayed:
    """The world as its clients see it: ports, and what arrived at the far end."""

    def __init__(self, world: World, ca_file: Path, sendmail: Sendmail) -> None:
        self.smtp_host = "127.0.0.1"
        self.smtp_port = world.port
        self.tls_port = int(world.relay.addresses[1].rpartition(":")[2])
        self.ca_file = ca_file
        self.sendmail = sendmail
        self.looked_at = 0
        self._mailboxes = world.cloud.mailboxes

    async def arrived(self, count: int) -> list[Arrival]:
        mails = await self._mailboxes.arrived(count, timeout=30)
        self.looked_at = len(mails)
        return [Arrival(tuple(sorted(mail.received)), mail.delivered) for mail in mails]


SETTINGS = """
[[smtp.listeners]]
address = "127.0.0.1:0"
tls = "starttls"
certificate_file = "{certificate}"
auth = "required"

[[smtp.listeners]]
address = "unix:{socket}"

[[smtp.users]]
name = "{login}"
password_hash = "{password_hash}"

[delivery]
max_mime_request = "60 MB"

[drop]
directory = "{drop}"
"""
"""One request carries letters of 5 MB, so that what is tested is the way there."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The certificate of the relay, and the passwords of its clients."""

    ca_file: Path
    certificate: Path
    password_hash: str


@pytest.fixture(scope="session")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    folder = tmp_path_factory.mktemp("identity")
    authority = trustme.CA()
    made = Identity(folder / "ca.pem", folder / "relay.pem", hash_password(LOGIN.password))
    authority.cert_pem.write_to_path(str(made.ca_file))
    certificate = authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem
    certificate.write_to_path(str(made.certificate))
    return made


@pytest.fixture
async def relay(tmp_path: Path, identity: Identity) -> AsyncIterator[Relay]:
    drop = tmp_path / "mail"
    drop.mkdir()
    socket = tmp_path / "smtp.sock"
    extra = SETTINGS.format(
        certificate=identity.certificate,
        socket=socket,
        login=LOGIN.name,
        password_hash=identity.password_hash,
        drop=drop,
    )
    large = MailSettings(request_limit=60_000_000)
    async with world(tmp_path, scenario="user", extra=extra, mail_settings=large) as here:
        relayed = Relayed(here, identity.ca_file, sendmail(tmp_path, socket, drop / "drop"))
        yield relayed
    assert len(here.cloud.mailboxes.submitted) == relayed.looked_at, "something arrived later"


def sendmail(folder: Path, socket: Path, drop: Path) -> Sendmail:
    """The program as its callers see it: a file that can be run."""
    program = folder / "graphrelay-sendmail"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n"
        "from graphrelay.sendmail import main\nsys.exit(main())\n"
    )
    program.chmod(0o755)
    return Sendmail(program, {"GRAPHRELAY_SOCKET": f"unix:{socket}", "GRAPHRELAY_DROP": str(drop)})


@pytest.fixture(scope="session")
def wordpress() -> Iterator[Site]:
    # Not pytest's own temporary folder: a socket's path may have about 100 characters.
    with tempfile.TemporaryDirectory() as folder, wordpress_site.installed(Path(folder)) as site:
        yield site
