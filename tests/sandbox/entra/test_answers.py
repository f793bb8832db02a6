"""What accompanies a token: the account for msal, the scopes, the refresh token."""

import base64
import json

import pytest

from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.directory import CONFIDENTIAL_CLIENT
from graphrelay.sandbox.entra.answers import app_answer, client_info_of, wants_cae
from tests.sandbox.entra.client import Client


def test_client_info_names_user_and_tenant(cloud: Sandbox) -> None:
    user = cloud.directory.user("wp@contoso.com")
    assert user is not None
    text = client_info_of(user)
    info = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    assert info == {"uid": user.oid, "utid": user.tenant_id}


@pytest.mark.parametrize(
    ("claims", "understood"),
    [
        ('{"access_token":{"xms_cc":{"values":["CP1"]}}}', True),
        ('{"access_token":{"xms_cc":{"values":[]}}}', False),
        ('{"access_token":{"xms_cc":{"values":5}}}', False),
        ('{"access_token":[]}', False),
        ("", False),
        ("not json", False),
    ],
)
def test_a_client_says_by_claims_that_it_understands_challenges(
    claims: str, understood: bool
) -> None:
    assert wants_cae(claims) is understood


def test_an_application_gets_neither_a_refresh_token_nor_a_scope(cloud: Sandbox) -> None:
    app = cloud.directory.app(CONFIDENTIAL_CLIENT)
    assert app is not None
    tenant = cloud.directory.tenant(app.tenant_id)
    assert tenant is not None
    body = app_answer(cloud, app, tenant, "1", cae=False)
    assert set(body) == {"token_type", "expires_in", "ext_expires_in", "access_token"}


async def test_an_id_token_comes_only_where_openid_was_asked_for(client: Client) -> None:
    with_it = await client.redeem(await client.sign_in())
    scope = "https://graph.microsoft.com/Mail.Send offline_access"
    without = await client.redeem(await client.sign_in(scope=scope), scope=scope)
    assert ("id_token" in with_it.json(), "id_token" in without.json()) == (True, False)
