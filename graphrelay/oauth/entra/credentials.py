"""Turning a configured credential into msal's `client_credential`.

Files are read each time: a secret that was replaced, a certificate that was renewed or a federated
token that was refreshed is used at once, without a restart. The result is compared with the one
before, so an unchanged credential keeps its msal application.

What reads certificates is imported where an account has one: it is 3 MB.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphrelay.oauth.scenario import (
    Certificate,
    ClientSecret,
    FederatedToken,
    SecretFile,
    SecretSource,
    SecretText,
)

if TYPE_CHECKING:
    from graphrelay.oauth.entra.key_pair import KeyPair


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


def msal_credential(
    credential: ClientSecret | Certificate | FederatedToken, sign: "Callable[[KeyPair], str]"
) -> MsalCredential:
    """Read the credential. `sign` makes an assertion with a key pair when one is needed. Raises
    `CredentialProblem`."""
    match credential:
        case ClientSecret(source):
            secret = read_secret(source)
            return MsalCredential(secret, secret)
        case Certificate():
            from graphrelay.oauth.entra.assertion import thumbprint
            from graphrelay.oauth.entra.key_pair import load_key_pair

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
            secret = read_octets(path).decode("utf-8", "replace").strip()
    if not secret:
        raise CredentialProblem("The client secret is empty.", "Put its value into the file.")
    return secret


def read_token(path: Path) -> str:
    """The federated token as it is now."""
    token = read_octets(path).decode("ascii", "replace").strip()
    if token.count(".") != 2:
        raise CredentialProblem(
            f"The federated token file {path} does not hold a JWT.",
            "Check federated_token_file, and the program that writes the file.",
        )
    return token


def _reader(path: Path) -> Callable[[], str]:
    return lambda: read_token(path)


def read_octets(path: Path) -> bytes:
    """The file. Raises `CredentialProblem`."""
    try:
        return path.read_bytes()
    except OSError as problem:
        raise CredentialProblem(
            f"The credential file {path} cannot be read: {problem.strerror}.",
            "Make it readable for the user that graphrelay runs as, and for no other.",
        ) from problem
