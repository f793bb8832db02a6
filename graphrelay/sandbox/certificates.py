"""TLS for loopback: a certificate authority of the sandbox's own, made anew at each start.

Nothing is added to any trust store: a client is given `ca_file` and trusts it for this run only.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme

NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Certificates:
    """The authority's certificate on disk, and what the server presents."""

    ca_file: Path
    """PEM, for the clients' `ca_file`, `verify=` or `--cacert`."""
    server: ssl.SSLContext


def make_certificates(folder: Path) -> Certificates:
    """A new authority, its certificate in `folder/ca.pem`, and a server certificate for loopback.

    HTTP/1.1 only, by ALPN: the relay speaks nothing else.
    """
    authority = trustme.CA(organization_name="graphrelay sandbox")
    ca_file = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.minimum_version = ssl.TLSVersion.TLSv1_2
    server.set_alpn_protocols(["http/1.1"])
    authority.issue_cert(*NAMES).configure_cert(server)
    return Certificates(ca_file, server)
