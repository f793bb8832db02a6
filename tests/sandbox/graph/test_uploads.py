from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import httpx
import pytest

from graphrelay.sandbox import Sandbox
from graphrelay.sandbox.graph.faults import UploadExpired
from graphrelay.sandbox.mailbox_settings import MailSettings
from tests.sandbox.world import Graph, World, code_of

KB = 1024
CONTENT = bytes(range(256)) * 12 * KB  # 3 MiB, the minimum
TO = [{"emailAddress": {"address": "you@example.org"}}]


class Time:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
async def world(time: Time) -> AsyncIterator[World]:
    settings = MailSettings(upload_lifetime=timedelta(minutes=10))
    async with Sandbox(now=time, mail_settings=settings) as cloud, AsyncExitStack() as stack:
        yield World(cloud, stack)


@pytest.fixture
async def graph(world: World) -> Graph:
    return await world.user(scopes="Mail.ReadWrite Mail.Send")


class Upload:
    """A draft, and one attachment being uploaded."""

    def __init__(self, graph: Graph, draft: str, session: dict[str, Any]) -> None:
        self.graph, self.draft, self.session = graph, draft, session
        self.url: str = session["uploadUrl"]

    async def put(
        self,
        start: int,
        end: int,
        content: bytes | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> httpx.Response:
        """Octets from start to end, both included, as in Content-Range."""
        piece = CONTENT[start : end + 1] if content is None else content
        request = httpx.Request(
            "PUT",
            self.url,
            content=piece,
            headers={
                "Content-Type": "application/octet-stream",
                "Content-Range": f"bytes {start}-{end}/{len(CONTENT)}",
                **headers,
            },
        )
        return await self.graph.http.send(request)

    async def send(self) -> httpx.Response:
        return await self.graph.http.post(f"/me/messages/{self.draft}/send")


@pytest.fixture
async def upload(graph: Graph) -> Upload:
    draft = (await graph.http.post("/me/messages", json={"toRecipients": TO})).json()["id"]
    answer = await open_session(graph, draft, len(CONTENT))
    assert answer.status_code == 201, answer.text
    return Upload(graph, draft, answer.json())


async def open_session(graph: Graph, draft: str, size: object) -> httpx.Response:
    item = {"attachmentType": "file", "name": "scan.pdf", "size": size}
    return await graph.http.post(
        f"/me/messages/{draft}/attachments/createUploadSession",
        json={"AttachmentItem": {**item, "contentType": "application/pdf"}},
    )


async def test_a_file_goes_up_in_pieces_and_out_with_the_message(
    world: World, upload: Upload
) -> None:
    assert upload.session["nextExpectedRanges"] == ["0-"]
    assert upload.session["expirationDateTime"] == "2026-11-23T12:10:00.0000000Z"
    middle, last = 2 * KB * KB, len(CONTENT) - 1
    first = await upload.put(0, middle - 1)
    assert first.status_code == 200
    assert first.json()["nextExpectedRanges"] == [str(middle)]
    assert first.json()["ExpirationDateTime"] == "2026-11-23T12:10:00.0000000Z"
    done = await upload.put(middle, last)
    assert (done.status_code, done.content) == (201, b"")
    assert done.headers["content-length"] == "0"
    assert "/Attachments('" in done.headers["location"]
    assert (await upload.send()).status_code == 202
    (mail,) = world.cloud.mailboxes.submitted
    (file,) = mail.content.attachments
    assert (file.name, file.content_type, file.content) == ("scan.pdf", "application/pdf", CONTENT)


async def test_a_put_with_an_authorization_header_is_refused(upload: Upload) -> None:
    answer = await upload.put(0, 99, headers={"Authorization": "Bearer x"})
    assert (answer.status_code, code_of(answer)) == (401, "InvalidAudienceForResource")
    assert (await upload.put(0, 99)).status_code == 200


async def test_pieces_go_up_in_order(upload: Upload) -> None:
    answer = await upload.put(100, 199)
    assert (answer.status_code, code_of(answer)) == (416, "ErrorInvalidRange")
    assert (await upload.put(0, 99)).status_code == 200
    assert (await upload.put(0, 99)).status_code == 416
    assert (await upload.put(100, 199)).json()["nextExpectedRanges"] == ["200"]


async def test_a_piece_must_be_what_its_range_says(upload: Upload) -> None:
    for answer in (
        await upload.put(0, 99, b"x" * 99),
        await upload.put(0, 99, b"x" * 101),
        await upload.put(0, 99, headers={"Content-Range": "bytes 0-99"}),
        await upload.put(0, 99, headers={"Content-Range": "0-99/100"}),
    ):
        assert answer.status_code == 400
    for wrong in (f"bytes 0-99/{len(CONTENT) + 1}", f"bytes 5-4/{len(CONTENT)}"):
        assert (await upload.put(0, 99, headers={"Content-Range": wrong})).status_code == 416
    assert (await upload.put(0, 99, headers={"Content-Type": "text/plain"})).status_code == 415


async def test_a_piece_over_the_limit_of_a_request_is_refused(world: World, upload: Upload) -> None:
    world.cloud.mailboxes.settings.request_limit = 1000
    assert (await upload.put(0, 1000)).status_code == 413
    assert (await upload.put(0, 999)).status_code == 200


async def test_a_session_expires(time: Time, upload: Upload) -> None:
    assert (await upload.put(0, 99)).status_code == 200
    time.now += timedelta(minutes=10)
    answer = await upload.put(100, 199)
    assert (answer.status_code, code_of(answer)) == (404, "ErrorItemNotFound")


async def test_a_session_expires_before_its_time(world: World, upload: Upload) -> None:
    world.cloud.faults.on(UploadExpired(times=1))
    assert (await upload.put(0, 99)).status_code == 404
    assert (await upload.put(0, 99)).status_code == 404


async def test_a_cancelled_session_is_gone(upload: Upload) -> None:
    request = httpx.Request("DELETE", upload.url)
    assert (await upload.graph.http.send(request)).status_code == 204
    assert (await upload.put(0, 99)).status_code == 404


async def test_a_session_cannot_be_asked_for_its_state(upload: Upload) -> None:
    answer = await upload.graph.http.send(httpx.Request("GET", upload.url))
    assert answer.status_code == 405


async def test_another_token_in_the_url_opens_nothing(upload: Upload) -> None:
    upload.url = upload.url[:-3] + "xxx"
    assert (await upload.put(0, 99)).status_code == 404


async def test_a_draft_sent_meanwhile_takes_no_attachment(world: World, upload: Upload) -> None:
    middle = 2 * KB * KB
    assert (await upload.put(0, middle - 1)).status_code == 200
    assert (await upload.send()).status_code == 202
    answer = await upload.put(middle, len(CONTENT) - 1)
    assert (answer.status_code, code_of(answer)) == (404, "ErrorItemNotFound")
    assert world.cloud.mailboxes.submitted[0].content.attachments == ()


@pytest.mark.parametrize(
    ("size", "code"),
    [
        (3 * KB * KB - 1, "ErrorAttachmentSizeShouldNotBeLessThanMinimumSize"),
        (36 * KB * KB, "ErrorMessageSizeExceeded"),
        ("3000000", "UnableToDeserializePostBody"),
    ],
)
async def test_sizes_that_get_no_session(graph: Graph, size: object, code: str) -> None:
    draft = (await graph.http.post("/me/messages", json={"toRecipients": TO})).json()["id"]
    answer = await open_session(graph, draft, size)
    assert (answer.status_code, code_of(answer)) == (400, code)


async def test_150_mb_is_the_most_where_the_mailbox_allows_it(world: World, graph: Graph) -> None:
    world.cloud.mailboxes.settings.message_limit = 200 * KB * KB
    draft = (await graph.http.post("/me/messages", json={"toRecipients": TO})).json()["id"]
    assert (await open_session(graph, draft, 150 * KB * KB)).status_code == 201
    assert (await open_session(graph, draft, 150 * KB * KB + 1)).status_code == 400
