"""Which addresses from clients may become mailboxes, and thus part of a URL."""

import pytest

from graphrelay.model import Address
from graphrelay.oauth.scenario import Account, SendAsUser
from graphrelay.relay.policy.mailbox import usable

ACCOUNT = Account(
    "website", "contoso.com", "id", SendAsUser("wp@contoso.com"), ("*@contoso.com", "*@x")
)


@pytest.mark.parametrize("text", ["wp@contoso.com", "O'Hara+x@Contoso.com", "a.b-c_d@contoso.com"])
def test_a_plain_address_that_the_account_may_use_is_a_mailbox(text: str) -> None:
    assert usable(ACCOUNT, Address.parse(text))


@pytest.mark.parametrize(
    "text",
    [
        "wp@fabrikam.com",
        '"wp"@contoso.com',
        "a/b@contoso.com",
        "a?b@contoso.com",
        "a%2f@contoso.com",
        "..@contoso.com",
        "a b@contoso.com",
        "jürgen@contoso.com",
        "wp",
        "",
        "a@x\n",
    ],
)
def test_anything_else_is_none(text: str) -> None:
    assert not usable(ACCOUNT, Address.parse(text))
