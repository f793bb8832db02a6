"""Which header fields without a property of their own a mailbox keeps."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.mailbox_settings import PROMOTED, MailSettings
from tests.sandbox.world import World, message


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with Sandbox() as cloud, AsyncExitStack() as stack:
        yield World(cloud, stack)


async def test_custom_headers_survive_unless_the_mailbox_drops_them(world: World) -> None:
    cloud = world.cloud
    graph = await world.user()
    octets = message(
        "a@b.example", "X-Job: 7", "Auto-Submitted: auto-generated", "List-Unsubscribe: <x>"
    )
    await graph.send(octets)
    cloud.mailboxes.settings.promoted_headers = PROMOTED
    await graph.send(octets)
    kept, dropped = cloud.mailboxes.submitted
    assert kept.delivered == octets
    assert b"X-Job" not in dropped.delivered
    assert b"Auto-Submitted" not in dropped.delivered
    assert b"List-Unsubscribe: <x>\r\n" in dropped.delivered


def test_every_promoted_name_is_a_field_name_in_lower_case() -> None:
    assert all(name.isascii() and name == name.lower() for name in PROMOTED)
    assert all(character.isalnum() or character == "-" for name in PROMOTED for character in name)


def test_no_limit_of_exchange_is_above_what_it_documents() -> None:
    settings = MailSettings()
    assert settings.request_limit <= 4_194_304
    assert (settings.recipient_limit, settings.in_flight_limit) == (500, 4)
