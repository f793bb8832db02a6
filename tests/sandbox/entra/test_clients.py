import base64
from datetime import UTC, datetime

import pytest

from graphrelay.sandbox.directory import CONTOSO, App, Secret
from graphrelay.sandbox.entra.clients import presented, prove, require_public, with_basic
from graphrelay.sandbox.entra.errors import Refused

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
APP = App(display_name="app", tenant_id=CONTOSO, secrets=[Secret(value="s3cret~x")])


def code_of(form: dict[str, str]) -> int:
    with pytest.raises(Refused) as refused:
        prove(form, APP, frozenset(), NOW)
    return refused.value.code


def test_the_secret_proves_the_application() -> None:
    assert prove({"client_secret": "s3cret~x"}, APP, frozenset(), NOW) == "1"


def test_neither_nothing_nor_something_else_does() -> None:
    assert code_of({}) == 7000218
    assert code_of({"client_secret": "x"}) == 7000215
    assert code_of({"client_secret": APP.secrets[0].id}) == 7000215
    assert code_of({"client_assertion": "x"}) == 50027


def test_an_old_secret_is_distinguished_from_a_wrong_one() -> None:
    old = App(display_name="old", tenant_id=CONTOSO, secrets=[Secret(value="x", expires_at=NOW)])
    with pytest.raises(Refused, match="7000222"):
        prove({"client_secret": "x"}, old, frozenset(), NOW)


def test_a_public_client_sends_nothing() -> None:
    assert require_public({"client_id": "x"}) == "0"
    for name in ("client_secret", "client_assertion"):
        assert presented({name: "x"})
        with pytest.raises(Refused, match="700025"):
            require_public({name: "x"})


def test_basic_credentials_are_percent_decoded() -> None:
    pair = base64.b64encode(b"id:s3cret%7Ex").decode()
    form = with_basic({"scope": "s"}, f"Basic {pair}")
    assert form == {"scope": "s", "client_id": "id", "client_secret": "s3cret~x"}
    assert with_basic({"scope": "s"}, "Bearer x") == {"scope": "s"}


def test_basic_credentials_that_cannot_be_read_are_refused() -> None:
    with pytest.raises(Refused, match="90013"):
        with_basic({}, "Basic !!!")
