import pytest

from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.directory import User
from tests.sandbox.world import World, code_of, message

DENIED = (
    "The user account which was used to submit this request does not have the right to send mail "
    "on behalf of the specified sending account., Cannot submit message."
)


def user(cloud: Sandbox, upn: str) -> User:
    found = cloud.directory.user(upn)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "sender",
    [
        "alice@contoso.com",
        "nobody@contoso.com",
        "root@server.example",
        '"wp@contoso.com" <wp@contoso.com>',
        "wp@contoso.com, info@contoso.com",
    ],
)
async def test_a_from_without_the_right_is_denied(world: World, sender: str) -> None:
    graph = await world.user(scopes="Mail.Send Mail.Send.Shared")
    answer = await graph.send(message(sender=sender))
    assert (answer.status_code, code_of(answer)) == (403, "ErrorSendAsDenied")
    assert answer.json()["error"]["message"] == DENIED
    assert world.cloud.mailboxes.submitted == []


async def test_send_as_needs_the_shared_scope_in_the_token(world: World) -> None:
    octets = message(sender="Info <info@contoso.com>")
    plain = await world.user(scopes="Mail.Send")
    assert code_of(await plain.send(octets)) == "ErrorSendAsDenied"
    shared = await world.user(scopes="Mail.Send.Shared")
    assert (await shared.send(octets)).status_code == 202
    (mail,) = world.cloud.mailboxes.submitted
    assert mail.delivered == octets
    assert mail.mailbox == "wp@contoso.com"


async def test_send_on_behalf_shows_who_really_sent(world: World) -> None:
    user(world.cloud, "wp@contoso.com").send_on_behalf.add("alice@contoso.com")
    graph = await world.user(scopes="Mail.Send.Shared")
    octets = message("you@example.org", "Sender: x@y", sender="alice@contoso.com")
    assert (await graph.send(octets)).status_code == 202
    delivered = world.cloud.mailboxes.submitted[0].delivered
    assert delivered.startswith(b"Sender: Website <wp@contoso.com>\r\n")
    assert b"From: alice@contoso.com\r\n" in delivered
    assert b"x@y" not in delivered


async def test_an_application_sends_as_the_mailbox_in_the_url_and_its_rights(world: World) -> None:
    graph = await world.application("Mail.Send")
    octets = message(sender="info@contoso.com")
    assert (await graph.send(octets, "wp@contoso.com")).status_code == 202
    answer = await graph.send(octets, "printer@contoso.com")
    assert code_of(answer) == "ErrorSendAsDenied"


async def test_full_access_alone_is_no_right_to_send(world: World) -> None:
    user(world.cloud, "wp@contoso.com").full_access.add("alice@contoso.com")
    graph = await world.user(scopes="Mail.Send.Shared")
    answer = await graph.send(message(sender="alice@contoso.com"), "alice@contoso.com")
    assert code_of(answer) == "ErrorSendAsDenied"


async def test_an_alias_becomes_the_primary_address_unless_the_tenant_allows_it(
    world: World,
) -> None:
    user(world.cloud, "wp@contoso.com").addresses.append("shop@contoso.com")
    graph = await world.user()
    octets = message(sender="Shop <shop@contoso.com>")
    assert (await graph.send(octets)).status_code == 202
    world.cloud.mailboxes.settings.send_from_alias = True
    assert (await graph.send(octets)).status_code == 202
    rewritten, kept = world.cloud.mailboxes.submitted
    assert rewritten.delivered.startswith(b"From: Shop <wp@contoso.com>\r\n")
    assert b"shop@contoso.com" not in rewritten.delivered
    assert kept.delivered == octets


async def test_without_a_from_the_mailbox_sends(world: World) -> None:
    graph = await world.user()
    octets = message().replace(b"From: wp@contoso.com\r\n", b"")
    assert (await graph.send(octets)).status_code == 202
    delivered = world.cloud.mailboxes.submitted[0].delivered
    assert delivered == b"From: Website <wp@contoso.com>\r\n" + octets
