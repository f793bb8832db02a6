"""Large messages for the tests of submission by draft."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from graphrelay.model import Address, Plan, Submission
from graphrelay.oauth.scenario import AccountOptions
from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.mailbox_items import Mail
from tests.clock import settle
from tests.e2e.large import REQUEST, file, letter, part
from tests.relay.cloud import WP, Delivery, delivering

MINUTE = timedelta(minutes=1)
USERS = f"/v1.0/users/{WP.mailbox}"
UPLOAD = "/api/v2.0/"
LARGE = AccountOptions(large_messages=True)
SIZES = {"a.pdf": 2_000, "b.pdf": 250_000, "c.pdf": 30_000}


@asynccontextmanager
async def large(cloud: Sandbox, directory: Path, **more: object) -> AsyncIterator[Delivery]:
    given = {"options": LARGE, "largest_request": REQUEST} | more
    async with delivering(cloud, directory, **given) as delivery:  # type: ignore[arg-type]
        yield delivery


async def accept(
    delivery: Delivery,
    sizes: dict[str, int] = SIZES,
    plan: Plan | None = None,
    besides: tuple[Address, ...] = (),
) -> Submission:
    """A letter with attachments, on a route for JSON unless there is a `plan`."""
    parts = [part(name, size) for name, size in sizes.items()]
    head, _, body = letter(*parts).partition(b"MIME-Version")
    assert head
    plan = plan or Plan(route="default", lane=WP, content="json")
    header = 'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\nX-Job: 7\r\n'
    return await delivery.accept(
        1, header=header, body=body.partition(b"\r\n\r\n")[2], plan=plan, besides=besides
    )


async def until_relayed(delivery: Delivery) -> None:
    """Let time pass until it has been sent."""
    for _ in range(200):
        before = delivery.courier.ended
        if delivery.queue.in_flight:
            await delivery.ended(before + 1)
        if delivery.told("relayed"):
            return
        await delivery.clock.advance(MINUTE)
        await delivery.spool.lanes()  # What the queue has asked the spool for is answered by now.
        await settle()
    raise AssertionError(delivery.told())


def drafts(delivery: Delivery) -> int:
    user = delivery.cloud.directory.user(WP.mailbox)
    assert user is not None
    return len(delivery.cloud.mailboxes.drafts(user))


def whole(delivery: Delivery, sizes: dict[str, int] = SIZES) -> Mail:
    """The one message that was submitted, with each attachment once."""
    (mail,) = delivery.submitted
    found = [(one.name, one.content) for one in mail.content.attachments]
    assert found == [(name, file(name, size)) for name, size in sizes.items()]
    assert mail.received == ("you@example.org",)
    return mail
