"""Senders at onmicrosoft.com, which reach few recipients."""

from dataclasses import replace

import pytest

from graphrelay.oauth.initial_domain import is_initial, warning
from graphrelay.oauth.scenario import Account, AnyUser, ManagedIdentity, SendAsUser

USER = Account("a", "contoso.com", "id", SendAsUser("wp@contoso.onmicrosoft.com"))


@pytest.mark.parametrize(
    ("address", "initial"),
    [
        ("wp@contoso.onmicrosoft.com", True),
        ("*@Contoso.OnMicrosoft.com", True),
        ("a@contoso.partner.onmschina.cn", True),
        ("a@contoso.onmicrosoft.us", True),
        ("wp@contoso.com", False),
        ("a@onmicrosoft.com.example", False),
        ("a@fakeonmicrosoft.com", False),
    ],
)
def test_the_initial_domain_is_known(address: str, initial: bool) -> None:
    assert is_initial(address) is initial


def test_who_sends_from_there_is_warned() -> None:
    found = warning(USER)
    assert found is not None
    assert found.startswith("wp@contoso.onmicrosoft.com: use an address of a domain of your own")
    application = AnyUser(ManagedIdentity())
    assert warning(replace(USER, scenario=application, mailboxes=("*@x.onmicrosoft.com",)))


def test_a_user_name_there_is_no_sender_where_the_address_is_another() -> None:
    assert warning(replace(USER, address="website@contoso.com")) is None
    assert warning(replace(USER, mailboxes=("info@contoso.com",))) is None
