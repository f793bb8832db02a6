"""What makes an answer usable."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from graphrelay.guide import checks

GUID = "9d5a2c1e-3a0f-4a3e-9d6e-0e6c0c5a1b2d"


@pytest.mark.parametrize(
    ("check", "text", "value"),
    [
        (checks.a_tenant, "contoso.com", "contoso.com"),
        (checks.a_tenant, GUID, GUID),
        (checks.an_id, GUID.upper(), GUID),
        (checks.account_name, "web-site_1", "web-site_1"),
        (checks.mailboxes, " a@contoso.com, *@contoso.com,", ("a@contoso.com", "*@contoso.com")),
        (checks.mailboxes, "", ()),
        (checks.day_or_nothing, "2027-11-01", date(2027, 11, 1)),
        (checks.day_or_nothing, " ", None),
        (checks.no_secret_id, " geheim ", "geheim"),
    ],
)
def test_a_usable_answer_becomes_a_value(
    check: Callable[[str], Any], text: str, value: object
) -> None:
    assert check(text) == value


@pytest.mark.parametrize(
    ("check", "text", "said"),
    [
        (checks.a_tenant, "contoso", "must be a domain such as contoso.com"),
        (checks.an_id, "graphrelay", "must be an id such as"),
        (checks.account_name, "../etc", "must be letters, digits, - and _"),
        (checks.absolute, "~nobody-here/x.pem", "~nobody-here is the home of nobody here"),
        (checks.some_mailboxes, " , ", "must be at least one mail address"),
        (checks.day_or_nothing, "soon", "2027"),
        (checks.no_secret_id, GUID, "this is the secret's ID"),
        (checks.listener_address, "somewhere", "is not an address to listen on"),
        (checks.networks_for("0.0.0.0:25"), "0.0.0.0/0", "an open relay"),
    ],
)
def test_a_bad_answer_says_what_is_expected(
    check: Callable[[str], Any], text: str, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        check(text)
