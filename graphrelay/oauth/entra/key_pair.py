"""The certificate of an application, with its private key."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import pkcs12

from graphrelay.oauth.entra.secret_files import CredentialProblem, read_octets, read_secret
from graphrelay.oauth.scenario import Certificate


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A private key and its certificate."""

    private_key: RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate

    @property
    def ends_at(self) -> datetime:
        return self.certificate.not_valid_after_utc


def load_key_pair(credential: Certificate) -> KeyPair:
    """PEM or PFX, distinguished by content. Raises `CredentialProblem`."""
    octets = read_octets(credential.path)
    password = read_secret(credential.passphrase).encode() if credential.passphrase else None
    try:
        if b"-----BEGIN" in octets:
            key_octets = read_octets(credential.key_path) if credential.key_path else octets
            key = serialization.load_pem_private_key(key_octets, password)
            certificate = _matching(x509.load_pem_x509_certificates(octets), key)
        else:
            key_or_none, found, _ = pkcs12.load_key_and_certificates(octets, password)
            if key_or_none is None or found is None:
                raise _unusable(credential, "it holds no private key with a certificate")
            key, certificate = key_or_none, found
    except (ValueError, TypeError, UnsupportedAlgorithm) as problem:
        raise _unusable(credential, _why(problem)) from None
    if not isinstance(key, RSAPrivateKey):
        raise _unusable(credential, "its key is not RSA, and Entra accepts no other")
    return KeyPair(key, certificate)


def _matching(certificates: list[x509.Certificate], key: Any) -> x509.Certificate:
    public = key.public_key()
    for certificate in certificates:
        if certificate.public_key() == public:
            return certificate
    raise ValueError("the private key belongs to another certificate")


def _unusable(credential: Certificate, why: str) -> CredentialProblem:
    return CredentialProblem(
        f"The certificate {credential.path} cannot be used: {why}.",
        "A PEM file with certificate and private key (or with certificate_key_file), or a PFX "
        "file, is needed, and the passphrase if there is one.",
    )


def _why(problem: Exception) -> str:
    """Clear words for the common cases. cryptography's own quote nothing of a key."""
    text = str(problem)
    if isinstance(problem, TypeError) or "password" in text.lower():
        return "the passphrase is missing, wrong, or not needed"
    if "belongs to another" in text or isinstance(problem, UnsupportedAlgorithm):
        return text
    return "it does not hold a private key and a certificate in PEM or PFX form"
