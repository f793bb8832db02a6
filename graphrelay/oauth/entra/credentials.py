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

from graphrelay.oauth.entra.secret_files import read_secret, read_token
from graphrelay.oauth.scenario import Certificate, ClientSecret, FederatedToken

if TYPE_CHECKING:
    from graphrelay.oauth.entra.key_pair import KeyPair


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


def _reader(path: Path) -> Callable[[], str]:
    return lambda: read_token(path)
