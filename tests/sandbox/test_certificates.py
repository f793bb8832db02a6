import ssl
from pathlib import Path

import pytest

from graphrelay.sandbox.certificates import make_certificates


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> str | None:
    """A TLS handshake in memory; the protocol that ALPN agreed on."""
    one, other = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(one, other, server_hostname=name)
    far = server.wrap_bio(other, one, server_side=True)
    for _ in range(4):
        for side in (near, far):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return near.selected_alpn_protocol()


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_a_client_that_trusts_the_file_trusts_the_server(tmp_path: Path, name: str) -> None:
    made = make_certificates(tmp_path)
    client = ssl.create_default_context(cafile=str(made.ca_file))
    client.set_alpn_protocols(["h2", "http/1.1"])
    assert shake_hands(client, made.server, name) == "http/1.1"


def test_no_other_name_and_no_other_client_trusts_it(tmp_path: Path) -> None:
    made = make_certificates(tmp_path)
    client = ssl.create_default_context(cafile=str(made.ca_file))
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(client, made.server, "login.microsoftonline.com")
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(ssl.create_default_context(), made.server, "localhost")
