import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.sandbox.entra.errors import Refused
from graphrelay.sandbox.entra.scopes import DELEGATED, Wanted, parse

OWN = "https://localhost:49152"
GRAPH = "https://graph.microsoft.com/"


def read(scope: str) -> Wanted:
    return parse(scope, OWN, "graphrelay", "Contoso")


def code_of(scope: str) -> int:
    with pytest.raises(Refused) as refused:
        read(scope)
    return refused.value.code


def test_bare_names_are_permissions_of_graph() -> None:
    wanted = read("Mail.Send offline_access")
    assert wanted.permissions == {"Mail.Send"}
    assert wanted.oidc == {"offline_access"}
    assert wanted.prefix == ""


@pytest.mark.parametrize(
    "resource",
    [
        "https://graph.microsoft.com",
        "https://graph.microsoft.us",
        "https://dod-graph.microsoft.us",
        "https://microsoftgraph.chinacloudapi.cn",
        "00000003-0000-0000-c000-000000000000",
        OWN,
        "https://127.0.0.1:49152",
    ],
)
def test_graph_has_many_names(resource: str) -> None:
    wanted = read(f"{resource}/Mail.Send openid")
    assert wanted.permissions == {"Mail.Send"}
    assert wanted.answer({"Mail.Send"}) == f"openid {resource}/Mail.Send"


def test_a_resource_may_end_in_a_slash_of_its_own() -> None:
    assert read("https://graph.microsoft.com//.default").default


def test_letter_case_does_not_matter() -> None:
    wanted = read("OpenID mail.send")
    assert wanted.oidc == {"openid"}
    assert wanted.permissions == {"Mail.Send"}


def test_default_goes_with_the_scopes_of_openid() -> None:
    wanted = read(f"{GRAPH}.default openid profile offline_access")
    assert wanted.default
    assert wanted.needed({"Mail.Send"}) == {"Mail.Send", "openid", "profile", "offline_access"}


def test_what_makes_no_sense_is_refused() -> None:
    assert code_of("") == 900144
    assert code_of("https://graph.example.com/Mail.Send") == 500011
    assert code_of(f"{GRAPH}Mail.Send {OWN}/Mail.Send") == 28000
    assert code_of(f"{GRAPH}.default {GRAPH}Mail.Send") == 70011
    assert code_of(".default") == 70011
    assert code_of("Mail.Dance") == 650053


def test_the_answer_leaves_out_offline_access() -> None:
    assert read("offline_access openid Mail.Send").answer({"Mail.Send", "openid"}) == (
        "openid Mail.Send"
    )


@given(st.sets(st.sampled_from(sorted(DELEGATED)), min_size=1))
def test_what_is_asked_for_is_what_is_answered(names: set[str]) -> None:
    wanted = read(" ".join(f"{GRAPH}{name}" for name in names))
    assert set(wanted.answer(wanted.permissions).split()) == {f"{GRAPH}{name}" for name in names}
