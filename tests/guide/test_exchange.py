"""PowerShell for a scope: nothing in an address gets out of its string."""

import pytest

from graphrelay.guide.exchange import script
from graphrelay.oauth.scenario import Account, ClientSecret, ScopedUsers, SecretText

CLIENT = "9d5a2c1e-3a0f-4a3e-9d6e-0e6c0c5a1b2d"
OBJECT = "0b1d7a52-6a0f-4b1c-8a52-3c1f0e6c0c5a"


@pytest.mark.parametrize("mark", ["'", "’", "$(evil)", "`", '"', "”", "’; evil; ’"])
def test_nothing_in_an_address_gets_out_of_its_string(mark: str) -> None:
    mailbox = f"o{mark}b@contoso.com"
    scenario = ScopedUsers(ClientSecret(SecretText("s")))
    account = Account("a", "contoso.com", CLIENT, scenario, (mailbox,))
    lines = script(account, "global", OBJECT, "CustomAttribute1", "")
    (filtering,) = (line for line in lines if line.startswith("$Filter"))
    opath = mailbox.replace("'", "''")
    assert read_string(filtering.removeprefix("$Filter = ")) == (
        f"PrimarySmtpAddress -eq '{opath}'",
        "",
    )
    (proof,) = (line for line in lines if "Test-" in line and "contoso" in line)
    assert read_string(proof.partition("-Resource ")[2]) == (mailbox, " | Format-Table")


def read_string(text: str) -> tuple[str, str]:
    """A PowerShell string at the start, as PowerShell reads it, and what comes after it."""
    mark, rest, value = text[0], text[1:], ""
    quotes = "'‘’‚‛" if mark == "'" else '"“”„'
    while rest[0] not in quotes or rest[1:2] in [*quotes]:
        assert mark == "'" or rest[0] != "$"
        if (rest[0] == "`" and mark == '"') or rest[0] in quotes:
            rest = rest[1:]
        value, rest = value + rest[0], rest[1:]
    return value, rest[1:]
