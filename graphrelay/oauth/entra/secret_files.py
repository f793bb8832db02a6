"""The files of credentials: read at each use, and named when they cannot be read."""

from pathlib import Path

from graphrelay.oauth.scenario import SecretFile, SecretSource, SecretText


class CredentialProblem(Exception):  # noqa: N818 (a condition, not a programming error)
    """The credential cannot be used as it is. The text is for people and holds no secret."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


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


def read_octets(path: Path) -> bytes:
    """The file. Raises `CredentialProblem`."""
    try:
        return path.read_bytes()
    except OSError as problem:
        raise CredentialProblem(
            f"The credential file {path} cannot be read: {problem.strerror}.",
            "Make it readable for the user that graphrelay runs as, and for no other.",
        ) from problem
