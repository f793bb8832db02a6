"""One context, TLS 1.2 at least, and messages for what is wrong with a file of certificates."""

import ssl
from pathlib import Path

import pytest

from graphrelay.graph.tls import CertificatesUnreadable, client_context
from tests.graph.scripted import authority


def test_the_context_verifies_host_and_certificate_and_speaks_nothing_old() -> None:
    context = client_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_file_of_certificates_stands_in_place_of_the_systems(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    authority().cert_pem.write_to_path(str(path))
    assert len(client_context(path).get_ca_certs()) == 1


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(None, "no such file"), (b"", "no certificate"), (b"not PEM", "no certificate")],
)
def test_a_file_that_cannot_be_used_is_named_with_the_reason(
    tmp_path: Path, content: bytes | None, complaint: str
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CertificatesUnreadable, match=complaint) as caught:
        client_context(path)
    assert str(path) in str(caught.value)


def test_a_directory_in_place_of_a_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CertificatesUnreadable):
        client_context(tmp_path)
