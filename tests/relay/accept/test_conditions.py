"""One route and one message: which condition fails, and how that is explained."""

from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from graphrelay.model import Address
from graphrelay.relay.accept.conditions import Route, failing, failing_on_connect, takes, why_not
from tests.relay.accept.test_router import transaction
from tests.relay.mail import ORIGIN

ANNA = Address.parse("anna@b.example")
WANTED = replace(transaction(), header={"x-mailer": ("php", "WordPress 6")})


def route(**conditions: Any) -> Route:
    return Route(name="r", account="website", **conditions)


@pytest.mark.parametrize(
    ("conditions", "reason"),
    [
        ({}, None),
        ({"sender": ("s*@contoso.com",)}, "sender is wp@contoso.com, not s*@contoso.com"),
        ({"sender": ("WP@Contoso.com",)}, None),
        ({"listener": ("a:1", "b:2")}, f"listener is {ORIGIN.listener}, not a:1 or b:2"),
        ({"login": ("scanner",)}, "login is none, not scanner"),
        ({"client": (ip_network("10.0.0.0/8"),)}, f"client is {ORIGIN.client}, not 10.0.0.0/8"),
        ({"recipient": ("*@x.example",)}, "recipient is anna@b.example, not *@x.example"),
        ({"recipient": ("ANNA@B.example",)}, None),
        ({"header": (("X-Mailer", "WORD*"),)}, None),
        ({"header": (("X-Mailer", "x"),)}, "header X-Mailer is php or WordPress 6, not x"),
        ({"header": (("X-Other", "*"),)}, "header X-Other is absent, not *"),
        ({"sender": ("no",), "login": ("no",)}, "sender is wp@contoso.com, not no"),
    ],
)
def test_the_first_condition_that_fails_is_named_with_what_it_wanted(
    conditions: dict[str, Any], reason: str | None
) -> None:
    one = route(**conditions)
    assert why_not(one, WANTED, ANNA) == reason
    assert (failing(one, WANTED) is None and takes(one, ANNA)) == (reason is None)


def test_a_message_from_nobody_is_matched_as_the_null_path() -> None:
    nobody = transaction(None, authors=())
    for pattern, holds in (("<>", True), ("*", True), ("*@contoso.com", False)):
        assert (failing(route(sender=(pattern,)), nobody) is None) == holds


def test_a_sender_is_the_same_in_either_spelling_of_its_domain_and_no_one_else() -> None:
    street = route(sender=("*@straße.example",))
    assert failing(street, transaction("a@xn--strae-oqa.example")) is None
    assert failing(street, transaction("a@strasse.example")) == "sender"


@pytest.mark.parametrize(
    ("client", "holds"),
    [("10.1.2.3", True), ("::ffff:10.1.2.3", True), ("unix", False), ("192.0.2.1", False)],
)
def test_a_mapped_address_is_in_the_network_and_a_unix_socket_in_none(
    client: str, holds: bool
) -> None:
    near = route(client=(ip_network("10.0.0.0/8"),))
    assert (failing_on_connect(near, replace(ORIGIN, client=client)) is None) == holds
