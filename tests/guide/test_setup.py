"""What `init` sets up, as one value."""

from pathlib import Path
from typing import Literal

from graphrelay.config.settings import CloudTable
from graphrelay.guide.setup import Setup, credential_of, name_of
from graphrelay.oauth.scenario import Account, AnyUser, ManagedIdentity, Scenario, SendAsUser

Cloud = Literal["global", "china"]


def setup(scenario: Scenario, cloud: Cloud = "global", name: str = "website") -> Setup:
    client = "9d5a2c1e-3a0f-4a3e-9d6e-0e6c0c5a1b2d" if isinstance(scenario, SendAsUser) else ""
    return Setup(
        account=Account(name, "contoso.com", client, scenario, ()),
        cloud=CloudTable(name=cloud),
        listener="127.0.0.1:2525",
        allow_from=(),
        state_directory=Path("/var/lib/graphrelay"),
    )


def test_only_an_application_has_a_credential() -> None:
    identity = ManagedIdentity(None)
    assert credential_of(setup(AnyUser(identity)).account) == identity
    assert credential_of(setup(SendAsUser("wp@contoso.com", shared=False)).account) is None


def test_the_name_in_entra_is_bounded() -> None:
    assert name_of(setup(AnyUser(ManagedIdentity(None))).account) == "graphrelay-website"
    assert len(name_of(setup(AnyUser(ManagedIdentity(None)), name="x" * 40).account)) == 50
