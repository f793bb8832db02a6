"""Scenarios: the least that each needs, and whose mailboxes an account may use."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.oauth.scenario import (
    Account,
    AccountOptions,
    AnyUser,
    Application,
    ClientSecret,
    Delegated,
    ManagedIdentity,
    PermissionKind,
    Personal,
    Scenario,
    ScopedUsers,
    SecretFile,
    SecretText,
    SendAsUser,
    own_names,
    permissions,
    risk_of,
    risk_of_any_user,
    scenario_name,
    uses_others,
)

SECRET = ClientSecret(SecretText("s3cret"))
NONE = AccountOptions()
USER = Account("a", "contoso.com", "id", SendAsUser("wp@contoso.com"))


def account(scenario: Scenario, options: AccountOptions = NONE) -> Account:
    return Account("a", "contoso.com", "id", scenario, options=options)


@pytest.mark.parametrize(
    ("scenario", "options", "wanted"),
    [
        (SendAsUser("u"), NONE, ["Mail.Send", "offline_access"]),
        (SendAsUser("u", shared=True), NONE, ["Mail.Send", "Mail.Send.Shared", "offline_access"]),
        (
            SendAsUser("u"),
            AccountOptions(large_messages=True),
            ["Mail.Send", "Mail.ReadWrite", "offline_access"],
        ),
        (
            SendAsUser("u"),
            AccountOptions(exact_once=True),
            ["Mail.Send", "Mail.ReadWrite", "offline_access"],
        ),
        (
            SendAsUser("u", shared=True),
            AccountOptions(exact_once=True),
            [
                "Mail.Send",
                "Mail.Send.Shared",
                "Mail.ReadWrite",
                "Mail.ReadWrite.Shared",
                "offline_access",
            ],
        ),
        (
            SendAsUser("u", shared=True),
            AccountOptions(bounces=True),
            [
                "Mail.Send",
                "Mail.Send.Shared",
                "Mail.Read",
                "Mail.Read.Shared",
                "offline_access",
            ],
        ),
        (
            SendAsUser("u"),
            AccountOptions(exact_once=True, bounces=True),
            ["Mail.Send", "Mail.ReadWrite", "offline_access"],
        ),
        (AnyUser(SECRET), AccountOptions(bounces=True), ["Mail.Send", "Mail.Read"]),
        (
            AnyUser(SECRET),
            AccountOptions(exact_once=True, bounces=True),
            ["Mail.Send", "Mail.ReadWrite"],
        ),
        (
            ScopedUsers(SECRET),
            AccountOptions(bounces=True),
            ["Application Mail.Send", "Application Mail.Read"],
        ),
        (Personal("u"), NONE, ["Mail.Send", "offline_access"]),
        (AnyUser(SECRET), NONE, ["Mail.Send"]),
        (AnyUser(SECRET), AccountOptions(large_messages=True), ["Mail.Send", "Mail.ReadWrite"]),
        (ScopedUsers(SECRET), NONE, ["Application Mail.Send"]),
        (
            ScopedUsers(SECRET),
            AccountOptions(exact_once=True),
            ["Application Mail.Send", "Application Mail.ReadWrite"],
        ),
    ],
)
def test_an_account_asks_for_the_least_it_needs(
    scenario: Scenario, options: AccountOptions, wanted: list[str]
) -> None:
    assert [one.name for one in permissions(account(scenario, options))] == wanted


def test_every_permission_has_a_reason() -> None:
    scenarios: list[Scenario] = [
        SendAsUser("u", shared=True),
        Personal("u"),
        AnyUser(SECRET),
        ScopedUsers(SECRET),
    ]
    options = AccountOptions(large_messages=True, exact_once=True)
    for scenario in scenarios:
        assert all(permission.reason for permission in permissions(account(scenario, options)))


def test_what_scoped_users_needs_is_granted_in_exchange_and_not_in_entra() -> None:
    assert {p.kind for p in permissions(account(ScopedUsers(SECRET)))} == {
        PermissionKind.EXCHANGE_ROLE
    }
    assert {p.kind for p in permissions(account(AnyUser(SECRET)))} == {PermissionKind.ROLE}


def test_scenarios_are_named_as_the_configuration_names_them() -> None:
    all_of_them = (SendAsUser("u"), Personal("u"), AnyUser(SECRET), ScopedUsers(SECRET))
    assert [scenario_name(one) for one in all_of_them] == [
        "user",
        "personal",
        "any-user",
        "scoped-users",
    ]
    assert [isinstance(one, Delegated) for one in all_of_them] == [True, True, False, False]
    assert [isinstance(one, Application) for one in all_of_them] == [False, False, True, True]


def test_without_a_list_a_user_may_use_the_own_mailbox_alone() -> None:
    assert USER.default_mailbox == "wp@contoso.com"
    assert USER.may_use("WP@Contoso.com")
    assert not USER.may_use("info@contoso.com")


def test_a_list_is_the_whole_truth() -> None:
    account = replace(USER, mailboxes=("info@contoso.com",))
    assert not account.may_use("wp@contoso.com")
    assert account.default_mailbox == "info@contoso.com"


def test_the_users_own_mailbox_comes_before_the_others() -> None:
    account = replace(USER, mailboxes=("info@contoso.com", "WP@contoso.com"))
    assert account.default_mailbox == "wp@contoso.com"


def test_a_domain_covers_its_addresses_and_no_other_domain() -> None:
    account = replace(USER, scenario=AnyUser(SECRET), mailboxes=("*@Contoso.com",))
    assert account.may_use("Anybody@CONTOSO.com")
    for other in ("a@evil-contoso.com", "a@sub.contoso.com", "a@contoso.com.evil", "contoso.com"):
        assert not account.may_use(other)
    assert account.default_mailbox is None
    assert account.username is None


def test_two_people_whose_names_fold_to_the_same_have_two_mailboxes() -> None:
    account = replace(USER, mailboxes=("straße@contoso.com", "*@straße.example"))
    assert account.may_use("STRAßE@contoso.com")
    assert account.may_use("a@xn--strae-oqa.example")
    assert not account.may_use("strasse@contoso.com")
    assert not account.may_use("a@strasse.example")
    assert not replace(USER, scenario=SendAsUser("straße@contoso.com")).is_own_mailbox(
        "strasse@contoso.com"
    )


def test_an_application_without_a_list_may_use_none() -> None:
    account = replace(USER, scenario=AnyUser(SECRET))
    assert not account.may_use("wp@contoso.com")
    assert account.default_mailbox is None


@given(st.text(max_size=30))
def test_nothing_without_an_at_sign_is_a_mailbox(text: str) -> None:
    account = replace(USER, mailboxes=("*@contoso.com", "*@"))
    if "@" not in text:
        assert not account.may_use(text)


def test_me_is_only_for_the_users_own_mailbox() -> None:
    assert USER.is_own_mailbox("WP@contoso.com")
    assert not USER.is_own_mailbox("info@contoso.com")
    assert not replace(USER, scenario=AnyUser(SECRET)).is_own_mailbox("wp@contoso.com")


def test_personal_accounts_live_in_a_tenant_of_their_own() -> None:
    assert replace(USER, scenario=Personal("me@outlook.com")).authority_tenant == "consumers"
    assert USER.authority_tenant == "contoso.com"


def test_a_secret_is_in_no_repr() -> None:
    assert "s3cret" not in repr(replace(USER, scenario=AnyUser(SECRET)))
    assert "path" in repr(SecretFile(Path("path")))
    assert ManagedIdentity() == ManagedIdentity(None)


def test_a_risk_is_named_where_there_is_one() -> None:
    assert risk_of(USER) is None
    assert "anyone in the tenant" in (risk_of(account(AnyUser(SECRET))) or "")
    scoped = account(ScopedUsers(SECRET))
    assert "its scope" in (risk_of(scoped) or "")
    assert risk_of_any_user(scoped) is None


# --- The sign-in name, From and the mailbox are three things --------------------------------------

THREE = replace(USER, address="website@contoso.com", aliases=("shop@contoso.com",))
NAMES = ("wp@contoso.com", "website@contoso.com", "Shop@contoso.com")


@pytest.mark.parametrize("name", NAMES)
def test_the_users_own_mailbox_is_me_by_all_of_its_names(name: str) -> None:
    assert THREE.may_use(name)
    assert THREE.user_of(name) is None
    assert THREE.mailbox_of(name) == "website@contoso.com"
    assert replace(THREE, mailboxes=("shop@contoso.com",)).default_mailbox == "website@contoso.com"


def test_a_user_name_beside_another_address_is_none() -> None:
    assert not THREE.may_stand_in_from("WP@contoso.com")
    assert THREE.may_stand_in_from("website@contoso.com")
    assert THREE.may_stand_in_from("shop@contoso.com")
    assert USER.may_stand_in_from("wp@contoso.com")
    also_an_address = replace(THREE, aliases=("wp@contoso.com",))
    assert also_an_address.may_stand_in_from("wp@contoso.com")


def test_names_of_the_own_mailbox_need_no_permission_for_others() -> None:
    own = own_names("wp@contoso.com", "website@contoso.com", ["shop@contoso.com"])
    assert not uses_others(["WP@contoso.com", "website@contoso.com", "shop@contoso.com"], own)
    assert uses_others(["wp@contoso.com", "info@contoso.com"], own)
    assert own_names(None, "", ()) == ()


def test_graph_finds_other_mailboxes_by_user_name_or_object_id() -> None:
    ids = (("info@contoso.com", "9d5a2c1e-3a0f-4a3e-9d6e-0e6c0c5a1b2d"),)
    account = replace(THREE, user_ids=ids)
    assert account.user_of("Info@contoso.com") == ids[0][1]
    assert account.user_of("other@contoso.com") == "other@contoso.com"
