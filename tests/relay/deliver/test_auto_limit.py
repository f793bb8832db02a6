"""`max_mime_request = "auto"`: more than 4 MB is tried as MIME, and sizes that Graph refuses are
remembered, for every possible behaviour of Graph."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import pytest

from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.directory import CONFIDENTIAL_CLIENT
from graphrelay.sandbox.graph.faults import Refuse
from graphrelay.sandbox.mailbox_settings import MailSettings
from tests.e2e.large import part
from tests.relay.cloud import WP, Delivery, delivering
from tests.relay.deliver.large import LARGE, MINUTE

HEADER = 'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n'
BODY = b"--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n--b\r\n" + part("a.pdf", 3_500_000)
BODY += b"\r\n--b--\r\n"


@pytest.fixture
async def cloud() -> AsyncIterator[Sandbox]:
    async with Sandbox(mail_settings=MailSettings(request_limit=60_000_000)) as cloud:
        app = cloud.directory.app(CONFIDENTIAL_CLIENT)
        assert app is not None
        app.roles = {"Mail.Send", "Mail.ReadWrite"}
        yield cloud


async def sent(delivery: Delivery, number: int) -> str:
    """How the message was submitted."""
    await delivery.accept(number, header=HEADER, body=BODY)
    while len(delivery.submitted) < number:
        before = delivery.courier.ended
        if delivery.queue.in_flight:
            await delivery.ended(before + 1)
        else:
            await delivery.clock.advance(MINUTE)
    mail = delivery.submitted[number - 1]
    [file] = mail.content.attachments
    assert len(file.content) == 3_500_000
    return mail.via


def refusals(delivery: Delivery) -> int:
    """MIME requests that were larger than Graph accepts."""
    return sum(
        request.path.endswith("/sendMail") and request.status != 202
        for request in delivery.cloud.requests
    )


async def test_where_graph_takes_more_it_gets_more(cloud: Sandbox, tmp_path: Path) -> None:
    async with delivering(cloud, tmp_path, options=LARGE, largest_request=None) as delivery:
        assert await sent(delivery, 1) == "mime"
        assert delivery.told("request-limit-learned") == []


@pytest.mark.parametrize("oversize", ["413", "400", "200"])
async def test_where_it_does_not_the_message_goes_another_way_and_the_next_at_once(
    cloud: Sandbox, tmp_path: Path, oversize: Literal["413", "400", "200"]
) -> None:
    settings = cloud.mailboxes.settings
    settings.request_limit, settings.oversize = 4_000_000, oversize
    async with delivering(cloud, tmp_path, options=LARGE, largest_request=None) as delivery:
        assert await sent(delivery, 1) == "draft"
        assert refusals(delivery) == 1
        assert await sent(delivery, 2) == "draft"
        assert refusals(delivery) == 1
        assert delivery.told("request-limit-learned") == ["request-limit-learned"]
    async with delivering(cloud, tmp_path, options=LARGE, largest_request=None) as delivery:
        assert await sent(delivery, 3) == "draft"
        assert refusals(delivery) == 1


async def test_the_limit_of_the_mailbox_counts_too(cloud: Sandbox, tmp_path: Path) -> None:
    code = "ErrorMessageSizeExceeded"
    cloud.faults.on(Refuse(path="/v1.0/users/wp@contoso.com/sendMail", code=code, times=1))
    async with delivering(cloud, tmp_path, options=LARGE, largest_request=None) as delivery:
        assert await sent(delivery, 1) == "draft"


async def test_an_account_without_another_way_stays_at_what_is_documented(
    cloud: Sandbox, tmp_path: Path
) -> None:
    async with delivering(cloud, tmp_path, largest_request=None) as delivery:
        await delivery.accept(1, header=HEADER, body=BODY)
        await delivery.ended(1)
        assert not cloud.requests
        [failed] = [entry for entry in delivery.entries if entry.event == "failed"]
        assert failed.fields["status"] == "5.3.4"
        assert "large_messages = true for the account would let it" in str(failed.fields["reason"])


async def test_a_refusal_by_graph_says_what_would_let_it_through(
    cloud: Sandbox, tmp_path: Path
) -> None:
    cloud.mailboxes.settings.request_limit = 1_000_000
    async with delivering(cloud, tmp_path, largest_request=60_000_000) as delivery:
        await delivery.accept(1, header=HEADER, body=BODY, lane=WP)
        await delivery.ended(1)
        [failed] = [entry for entry in delivery.entries if entry.event == "failed"]
        assert "large_messages = true for the account would let it" in str(failed.fields["reason"])
