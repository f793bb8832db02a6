"""Turning a configured credential into msal's `client_credential`.

Files are read each time: a secret that was replaced, a certificate that was renewed or a federated
token that was refreshed is used at once, without a restart. The result is compared with the one
before, so an unchanged credential keeps its msal application.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import pkcs12

from graphrelay.oauth.entra.assertion import thumbprint
from graphrelay.oauth.scenario import (
    Certificate,
    ClientSecret,
    FederatedToken,
    SecretFile,
    SecretSource,
    SecretText,
)


class CredentialProblem(Exception):  # noqa: N818 (a condition, not a programming error)
    """The credential cannot be used as it is. The text is for people and holds no secret."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class MsalCredential:
    """msal's `client_credential`; equal while nothing has changed."""

    identity: str = field(repr=False)
    """Distinguishes credentials; must never be quoted."""
    for_msal: "str | dict[str, Any]" = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A private key and its certificate."""

    private_key: RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate

    @property
    def ends_at(self) -> datetime:
        return self.certificate.not_valid_after_utc


def msal_credential(
    credential: ClientSecret | Certificate | FederatedToken, sign: Callable[[KeyPair], str]
) -> MsalCredential:
    """Read the credential. `sign` makes an assertion with a key pair when one is needed. Raises
    `CredentialProblem`."""
    match credential:
        case ClientSecret(source):
            secret = read_secret(source)
            return MsalCredential(secret, secret)
        case Certificate():
            pair = load_key_pair(credential)
            identity = thumbprint(pair.certificate).hex()
            return MsalCredential(identity, {"client_assertion": lambda: sign(pair)})
        case FederatedToken(path):
            read_token(path)
            return MsalCredential(str(path), {"client_assertion": _reader(path)})


def read_secret(source: SecretSource) -> str:
    """The secret, without the line end that editors append."""
    match source:
        case SecretText(value):
            secret = value.strip()
        case SecretFile(path):
            secret = _read(path).decode("utf-8", "replace").strip()
    if not secret:
        raise CredentialProblem("The client secret is empty.", "Put its value into the file.")
    return secret


def read_token(path: Path) -> str:
    """The federated token as it is now."""
    token = _read(path).decode("ascii", "replace").strip()
    if token.count(".") != 2:
        raise CredentialProblem(
            f"The federated token file {path} does not hold a JWT.",
            "Check federated_token_file, and the program that writes the file.",
        )
    return token


def load_key_pair(credential: Certificate) -> KeyPair:
    """PEM or PFX, distinguished by content. Raises `CredentialProblem`."""
    octets = _read(credential.path)
    password = read_secret(credential.passphrase).encode() if credential.passphrase else None
    try:
        if b"-----BEGIN" in octets:
            key_octets = _read(credential.key_path) if credential.key_path else octets
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


def _reader(path: Path) -> Callable[[], str]:
    return lambda: read_token(path)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise CredentialProblem(
            f"The credential file {path} cannot be read: {problem.strerror}.",
            "Make it readable for the user that graphrelay runs as, and for no other.",
        ) from problem


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
