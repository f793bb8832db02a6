"""The steps in the Entra portal, for exactly one account."""

import pytest

from graphrelay.guide.portal import PORTAL, steps
from graphrelay.guide.setup import Setup
from graphrelay.oauth.scenario import (
    AnyUser,
    ManagedIdentity,
    Personal,
    Scenario,
    ScopedUsers,
    SendAsUser,
)
from tests.guide.test_setup import setup

USER = SendAsUser("wp@contoso.com", shared=False)


def text(made: Setup) -> str:
    return "\n".join(steps(made))


def test_a_user_gets_a_loopback_redirect_and_delegated_permissions() -> None:
    shown = text(setup(USER))
    assert shown.startswith(f"{PORTAL}: App registrations > New registration.")
    assert "Custom redirect URIs: http://localhost" in shown
    assert "Delegated permissions: Mail.Send" in shown
    assert "Certificates & secrets" not in shown


def test_other_mailboxes_need_mail_send_shared() -> None:
    assert "Mail.Send.Shared" in text(setup(SendAsUser("wp@contoso.com", shared=True)))


@pytest.mark.parametrize("scenario", [USER, Personal("me@outlook.com")])
def test_who_may_sign_in_depends_on_the_scenario(scenario: Scenario) -> None:
    personal = isinstance(scenario, Personal)
    shown = text(setup(scenario))
    assert ("Personal Microsoft accounts only" in shown) is personal
    assert ("Directory (tenant) ID" in shown) is not personal


def test_an_application_for_a_personal_account_is_registered_in_a_directory() -> None:
    first, second, *_ = steps(setup(Personal("me@outlook.com")))
    assert "can no longer be registered outside a directory" in first
    assert "App registrations > New registration" in second
    assert "outside a directory" not in text(setup(USER))


def test_an_identity_of_azure_is_not_registered() -> None:
    shown = text(setup(AnyUser(ManagedIdentity(None))))
    assert "App registrations" not in shown
    assert "System assigned > Status: On" in shown
    assert "use the az commands" in shown


def test_an_application_with_a_scope_is_granted_nothing() -> None:
    shown = text(setup(ScopedUsers(ManagedIdentity(None))))
    assert "Grant it nothing in Entra" in shown


def test_a_national_cloud_has_its_own_portal() -> None:
    assert steps(setup(USER, "china"))[0].startswith("https://portal.azure.cn")


def test_admin_consent_is_required_where_users_may_not_consent_by_default() -> None:
    sending = text(setup(USER))
    assert "Where users of the tenant may not consent themselves: Grant admin consent." in sending
    assert "openid, profile" in sending
    shared = text(setup(SendAsUser("wp@contoso.com", shared=True)))
    assert "by default only an admin may consent to Mail.Send.Shared" in shared
    assert "Need admin approval" in sending
    assert "Need admin approval" in shared
