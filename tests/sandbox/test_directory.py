from datetime import UTC, datetime

from graphrelay.sandbox.directory import (
    CONFIDENTIAL_CLIENT,
    CONTOSO,
    MSA_TENANT,
    PUBLIC_CLIENT,
    ExchangeRole,
    User,
    contoso,
)


def test_the_same_world_has_the_same_ids() -> None:
    assert [user.oid for user in contoso().users] == [user.oid for user in contoso().users]
    assert contoso().app(PUBLIC_CLIENT) is not None
    assert contoso().app(CONFIDENTIAL_CLIENT.upper()) is not None


def test_users_are_named_by_id_or_upn_and_own_their_aliases() -> None:
    directory = contoso()
    wp = directory.users[0]
    wp.addresses.append("website@contoso.com")
    assert directory.user(wp.oid) is directory.user("WP@contoso.com") is wp
    assert directory.user("website@contoso.com") is None
    assert directory.owner_of("Website@Contoso.com") is wp
    assert wp.primary_address == "wp@contoso.com"


def test_the_website_may_send_as_the_shared_mailbox() -> None:
    directory = contoso()
    wp, info = directory.users[:2]
    assert wp.may_send_as("Info@contoso.com")
    assert not wp.may_send_on_behalf_of("info@contoso.com")
    assert not wp.has_full_access_to("info@contoso.com")
    assert info.kind == "shared"
    assert not info.may_send_as("wp@contoso.com")


def test_a_personal_account_is_in_the_consumers_tenant() -> None:
    me = contoso().user("me@outlook.com")
    assert me is not None
    assert me.personal
    assert me.tenant_id == MSA_TENANT
    assert me.oid.startswith("00000000-0000-0000-")


def test_consent_is_a_users_or_a_whole_tenants() -> None:
    directory = contoso()
    wp, _, alice = directory.users[:3]
    app = directory.apps[0]
    directory.consent(app, {"Mail.Send"}, by=wp)
    assert directory.consented(app, wp) == {"Mail.Send"}
    assert directory.consented(app, alice) == set()
    directory.consent(app, {"Mail.Read"}, by=directory.tenants[0])
    assert directory.consented(app, wp) == {"Mail.Send", "Mail.Read"}
    assert directory.consented(app, alice) == {"Mail.Read"}
    directory.withdraw(app, by=wp)
    assert directory.consented(app, wp) == {"Mail.Read"}


def test_an_exchange_role_holds_within_its_scope() -> None:
    directory = contoso()
    app = directory.apps[1]
    wp, _, alice = directory.users[:3]
    app.exchange_roles.append(ExchangeRole.on("Application Mail.Send", ["WP@contoso.com"]))
    assert app.in_exchange_scope("Application Mail.Send", wp)
    assert not app.in_exchange_scope("Application Mail.Send", alice)
    assert not app.in_exchange_scope("Application Mail.ReadWrite", wp)


def test_revoking_sessions_is_counted() -> None:
    user = User(upn="x@contoso.com", display_name="X", tenant_id=CONTOSO)
    now = datetime(2026, 11, 23, tzinfo=UTC)
    contoso().revoke_sessions(user, now)
    assert (user.session, user.tokens_valid_from) == (1, now)
