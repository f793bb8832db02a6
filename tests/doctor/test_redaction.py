"""Nothing in the file of a run identifies anybody."""

import json
import re
from pathlib import Path

import pytest

from graphrelay.doctor.redaction import Redactor
from graphrelay.sandbox.directory import CONTOSO, PUBLIC_CLIENT
from tests.doctor.practice import ADDRESS, ALIAS, TO, UPN, only, practice

TOKEN = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9" + "a" * 80 + ".b-_"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"Bearer {TOKEN}", f"Bearer ({len(TOKEN)} characters)"),
        ("https://o/x?authtoken=a.b-c&n=1", "https://o/x?authtoken=…&n=1"),
        ("http://localhost/?code=0.AX&state=7", "http://localhost/?code=…&state=7"),
        (
            "https://host.example/a/" + "i" * 70 + "/b" * 40,
            "https://host.example/a/(70 characters)" + "/b" * 40,
        ),
        ("b/" * 40, "(80 characters)"),
        ("HTTP 403 ErrorAccessDenied", "HTTP 403 ErrorAccessDenied"),
        ("<a.1f@graphrelay.invalid>", "<a.1f@graphrelay.invalid>"),
        ("tenant Contoso.onmicrosoft.com", "tenant (tenant)"),
    ],
)
def test_a_text_without_what_is_secret(text: str, shown: str) -> None:
    assert Redactor({"contoso.onmicrosoft.com": "(tenant)"}).text(text) == shown


@pytest.mark.parametrize(
    "text",
    ["{}", "<{}>", "to={}&b", '"{}"', "Users('{}')", "the user {}.", "{};x", "[{}]", "smtp:{}"],
)
def test_an_address_becomes_a_hash_wherever_it_stands(text: str) -> None:
    shown = Redactor().text(text.format("Wp.Ö@contoso.com"))
    assert "contoso" not in shown
    assert re.search(r"address-[0-9a-f]{12}", shown)


def test_one_address_has_one_hash_in_a_run_and_another_in_the_next() -> None:
    one, other = Redactor(), Redactor()
    assert one.text("a@b.example") == one.text("A@b.example") != other.text("a@b.example")


def test_an_address_in_a_url_has_the_same_hash() -> None:
    redactor = Redactor()
    context = "https://graph.microsoft.com/v1.0/$metadata#users('{}')/messages/$entity"
    plain = redactor.text(context.format("wp@contoso.com"))
    for encoded in ("wp%40contoso.com", "WP%2540contoso.com"):
        assert redactor.text(context.format(encoded)) == plain


def test_the_name_of_a_mailbox_in_exchange_is_not_shown() -> None:
    name = "/o=ExchangeLabs/ou=Exchange Administrative Group (X)/cn=Recipients/cn=12ab-alice"
    shown = Redactor().text(f"as IMCEAEX or {name}; not found")
    assert "alice" not in shown
    assert shown.endswith("; not found")


def test_members_that_name_people_or_are_secret_are_not_shown() -> None:
    given = {
        "displayName": "Alice Example",
        "access_token": "short",
        "businessPhones": ["+49 30 1234 Alice"],
        "mailNickname": "Alice",
        "toRecipients": [{"emailAddress": {"name": "Alice", "address": "a@b.example"}}],
        "subject": "graphrelay doctor 12 headers",
        "size": 7,
        "none": None,
    }
    shown = Redactor().value(given)
    assert "Alice" not in json.dumps(shown)
    assert shown["access_token"] == "(5 characters)"
    assert (shown["subject"], shown["size"], shown["none"]) == (given["subject"], 7, None)


async def test_the_file_of_a_whole_visit_identifies_nobody(tmp_path: Path) -> None:
    async with practice(tmp_path) as here:
        found = await here.visit()
        token = await here.reach.tokens.bearer_token("website")
    text = json.dumps([here.entries, [one.seen for one in found.values()]], ensure_ascii=False)
    assert len(here.entries) > 100
    for secret in (UPN, ADDRESS, ALIAS, TO, CONTOSO, PUBLIC_CLIENT, here.user.oid, str(token)):
        assert secret.lower() not in text.lower(), secret
    for word in ("contoso", here.user.display_name, "eyJ", "authtoken=a", "Bearer e"):
        assert word not in text, word


async def test_the_tenant_is_shown_only_to_whoever_asks_for_it(tmp_path: Path) -> None:
    async with practice(tmp_path) as here:
        await here.visit(only("hosts", "token-answer"))
        assert "onmicrosoft" not in str(here.entries)
        await here.visit(only("hosts", "token-answer", tenant=True))
        assert "contoso.onmicrosoft.com" in str(here.entries)
