import pytest

from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.directory import CONFIDENTIAL_CLIENT, ExchangeRole, User
from graphrelay.sandbox.graph.errors import BLOCKED_BY_POLICY
from tests.sandbox.world import World, code_of, message


def user(cloud: Sandbox, upn: str) -> User:
    found = cloud.directory.user(upn)
    assert found is not None
    return found


# --- Delegated -----------------------------------------------------------------------------------


async def test_a_user_sends_through_the_own_mailbox_by_any_of_its_names(world: World) -> None:
    graph = await world.user(scopes="Mail.Send")
    oid = user(world.cloud, "wp@contoso.com").oid
    for name in ("me", "wp@contoso.com", "WP@contoso.com", oid):
        assert (await graph.send(message(), name)).status_code == 202, name


@pytest.mark.parametrize("scopes", ["", "Mail.ReadWrite", "User.Read"])
async def test_sending_needs_mail_send(world: World, scopes: str) -> None:
    graph = await world.user(scopes=scopes)
    answer = await graph.send(message())
    assert (answer.status_code, code_of(answer)) == (403, "ErrorAccessDenied")
    assert answer.json()["error"]["message"] == (
        "Access is denied. Check credentials and try again."
    )


async def test_mail_send_alone_opens_neither_drafts_nor_look_ups(world: World) -> None:
    graph = await world.user(scopes="Mail.Send")
    for answer in (
        await graph.http.post("/me/messages", json={}),
        await graph.http.get("/me/messages"),
        await graph.http.get("/me/mailFolders/sentitems/messages"),
    ):
        assert (answer.status_code, code_of(answer)) == (403, "ErrorAccessDenied")


@pytest.mark.parametrize("scope", ["Mail.ReadBasic", "Mail.Read", "Mail.ReadWrite"])
async def test_any_reading_scope_allows_looking_up(world: World, scope: str) -> None:
    graph = await world.user(scopes=scope)
    assert (await graph.http.get("/me/messages")).status_code == 200


async def test_another_mailbox_needs_the_shared_scope_and_full_access(world: World) -> None:
    plain = await world.user(scopes="Mail.Send")
    shared = await world.user(scopes="Mail.Send.Shared")
    octets = message(sender="info@contoso.com")
    for graph in (plain, shared):
        answer = await graph.send(octets, "info@contoso.com")
        assert (answer.status_code, code_of(answer)) == (403, "ErrorAccessDenied")
    user(world.cloud, "wp@contoso.com").full_access.add("info@contoso.com")
    assert (await plain.send(octets, "info@contoso.com")).status_code == 403
    assert (await shared.send(octets, "info@contoso.com")).status_code == 202
    assert world.cloud.mailboxes.submitted[0].mailbox == "info@contoso.com"


async def test_drafts_in_another_mailbox_need_the_shared_scope(world: World) -> None:
    user(world.cloud, "wp@contoso.com").full_access.add("info@contoso.com")
    own = await world.user(scopes="Mail.ReadWrite")
    shared = await world.user(scopes="Mail.ReadWrite.Shared")
    path = "/users/info@contoso.com/messages"
    assert (await own.http.post(path, json={})).status_code == 403
    assert (await shared.http.post(path, json={})).status_code == 201


@pytest.mark.parametrize("name", ["alias@contoso.com", "nobody@contoso.com", "team@contoso.com"])
async def test_a_url_takes_no_alias_no_stranger_and_no_group(world: World, name: str) -> None:
    directory = world.cloud.directory
    wp = user(world.cloud, "wp@contoso.com")
    wp.addresses.append("alias@contoso.com")
    directory.users.append(
        User(
            upn="team@contoso.com",
            display_name="Team",
            tenant_id=wp.tenant_id,
            kind="distribution-list",
        )
    )
    for graph in (await world.user(scopes="Mail.Send.Shared"), await world.application()):
        answer = await graph.send(message(), name)
        assert (answer.status_code, code_of(answer)) == (404, "ErrorInvalidUser")
        assert answer.json()["error"]["message"] == f"The requested user '{name}' is invalid."


async def test_a_personal_account_sends_as_me_and_under_its_own_name(world: World) -> None:
    graph = await world.user("me@outlook.com")
    octets = message(sender="me@outlook.com")
    assert (await graph.send(octets)).status_code == 202
    assert (await graph.send(octets, "me@outlook.com")).status_code == 202
    assert (await graph.send(octets, "wp@contoso.com")).status_code == 403


# --- Applications --------------------------------------------------------------------------------


async def test_an_application_has_no_me(world: World) -> None:
    graph = await world.application()
    answer = await graph.send(message())
    assert (answer.status_code, code_of(answer)) == (400, "BadRequest")
    assert "only valid with delegated authentication" in answer.json()["error"]["message"]


async def test_an_application_with_mail_send_reaches_every_mailbox_of_its_tenant(
    world: World,
) -> None:
    graph = await world.application("Mail.Send")
    for name in ("wp@contoso.com", "printer@contoso.com", "info@contoso.com"):
        assert (await graph.send(message(sender=name), name)).status_code == 202
    answer = await graph.send(message(sender="me@outlook.com"), "me@outlook.com")
    assert code_of(answer) == "ErrorInvalidUser"


async def test_an_application_without_any_grant_is_refused(world: World) -> None:
    graph = await world.application("")
    answer = await graph.send(message(), "wp@contoso.com")
    assert (answer.status_code, code_of(answer)) == (403, "ErrorAccessDenied")


async def test_rbac_reaches_the_mailboxes_in_its_scope_without_any_role_in_the_token(
    world: World,
) -> None:
    app = world.cloud.directory.app(CONFIDENTIAL_CLIENT)
    assert app is not None
    app.exchange_roles = [ExchangeRole.on("Application Mail.Send", ["printer@contoso.com"])]
    graph = await world.application("")
    inside = await graph.send(message(sender="printer@contoso.com"), "printer@contoso.com")
    outside = await graph.send(message(), "wp@contoso.com")
    assert inside.status_code == 202
    assert (outside.status_code, code_of(outside)) == (403, "ErrorAccessDenied")
    assert (await graph.http.get("/users/printer@contoso.com/messages")).status_code == 403


async def test_rbac_and_the_entra_grant_add_up(world: World) -> None:
    app = world.cloud.directory.app(CONFIDENTIAL_CLIENT)
    assert app is not None
    app.exchange_roles = [ExchangeRole.on("Application Mail.Send", ["printer@contoso.com"])]
    graph = await world.application("Mail.Send")
    assert (await graph.send(message(), "wp@contoso.com")).status_code == 202


async def test_an_access_policy_narrows_the_role(world: World) -> None:
    graph = await world.application("Mail.Send")
    policies = world.cloud.mailboxes.settings.access_policies
    policies[CONFIDENTIAL_CLIENT] = {"printer@contoso.com"}
    answer = await graph.send(message(), "wp@contoso.com")
    assert (answer.status_code, code_of(answer)) == (403, "ErrorAccessDenied")
    assert answer.json()["error"]["message"] == BLOCKED_BY_POLICY
    octets = message(sender="printer@contoso.com")
    assert (await graph.send(octets, "printer@contoso.com")).status_code == 202


async def test_a_user_without_a_mailbox_and_a_disabled_one(world: World) -> None:
    graph = await world.application("Mail.Send")
    user(world.cloud, "bob@contoso.com").kind = "no-mailbox"
    answer = await graph.send(message(), "bob@contoso.com")
    assert (answer.status_code, code_of(answer)) == (404, "MailboxNotEnabledForRESTAPI")
    user(world.cloud, "alice@contoso.com").enabled = False
    answer = await graph.send(message(), "alice@contoso.com")
    assert (answer.status_code, code_of(answer)) == (403, "ErrorAccountDisabled")
