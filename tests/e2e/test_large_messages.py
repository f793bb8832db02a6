"""Mail that is too large for one request goes by a draft, piece by piece, and arrives whole."""

import asyncio
from datetime import timedelta
from pathlib import Path

from graphrelay.control import plain
from graphrelay.control.conversation import Event
from graphrelay.sandbox.mailbox_items import Mail
from tests.e2e.large import file, letter, part, send, small_world
from tests.world import World

MINUTE = timedelta(minutes=1)
UPLOAD = "/api/v2.0/"


def drafts(here: World) -> int:
    user = here.cloud.directory.user("wp@contoso.com")
    assert user is not None
    return len(here.cloud.mailboxes.drafts(user))


def files(mail: Mail) -> dict[str, bytes]:
    return {one.name: one.content for one in mail.content.attachments}


async def shown(here: World, queue_id: str) -> Event:
    """What `queue show --json` says."""
    found = await here.relay.spool.show(queue_id)
    assert found is not None
    return plain.message(found)


async def test_a_large_message_arrives_whole_and_once(tmp_path: Path) -> None:
    message = letter(part("small.pdf", 2_000), part("large.pdf", 250_000), part("b.pdf", 70_000))
    async with small_world(tmp_path) as here:
        await asyncio.to_thread(send, here, message, "alice@contoso.com", "hidden@example.org")
        (mail,) = await here.cloud.mailboxes.arrived(1)
        relayed = await here.event("relayed")
        assert mail.via == "draft"
        assert sorted(mail.received) == ["alice@contoso.com", "hidden@example.org"]
        assert mail.content.html.strip() == "<p>Grüße</p>"
        assert files(mail) == {
            "small.pdf": file("small.pdf", 2_000),
            "large.pdf": file("large.pdf", 250_000),
            "b.pdf": file("b.pdf", 70_000),
        }
        assert drafts(here) == 0
        told = await shown(here, relayed.queue_id)
    (attempt,) = told["parts"][0]["history"]
    assert attempt["outcome"] == "relayed"
    assert "the order and nesting of the parts" in attempt["lost"][0]
    assert list(relayed.fields["lost"] or ()) == attempt["lost"]  # type: ignore[arg-type]
