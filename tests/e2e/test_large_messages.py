"""Mail that is too large for one request, from SMTP to the mailbox, and what people see."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from graphrelay.cli.queue import _print_message
from graphrelay.control.verb import Output
from graphrelay.control.verbs import json_views
from graphrelay.sandbox.directory import CLIENT_SECRET, CONFIDENTIAL_CLIENT
from graphrelay.sandbox.faults import Answer
from graphrelay.sandbox.mailbox_items import Mail
from graphrelay.spool.queries import HistoryOf
from tests.clock import FakeClock
from tests.e2e.large import REQUEST, file, letter, part, send, small_world
from tests.world import Scenario, World

JSON = '\n[[routes]]\naccount = "website"\ncontent = "json"\n'

IMAGE = 'Content-ID: <logo@shop>\r\nContent-Disposition: inline; filename="logo.png"\r\n'
CARRIED = REQUEST // 4 * 3 - 16 * 1024
NO_COPY = """
[[routes]]
account = "website"
content = "json"
save_to_sent_items = false
"""


def drafts(here: World) -> int:
    user = here.cloud.directory.user("wp@contoso.com")
    assert user is not None
    return len(here.cloud.mailboxes.drafts(user))


def files(mail: Mail) -> dict[str, bytes]:
    return {one.name: one.content for one in mail.content.attachments}


async def shown(here: World, queue_id: str) -> Output:
    """What `queue show --json` says."""
    found = await here.relay.spool.read(HistoryOf(queue_id))
    assert found is not None
    return json_views.message(found, datetime.now(UTC), {})


def refused(here: World, message: bytes) -> tuple[int, bytes]:
    with here.client() as client:
        client.ehlo()
        client.mail("wp@contoso.com")
        client.rcpt("alice@contoso.com")
        return client.data(message)


@pytest.mark.parametrize("scenario", ["user", "any-user"])
async def test_a_large_message_arrives_whole_and_once(tmp_path: Path, scenario: Scenario) -> None:
    message = letter(part("small.pdf", 2_000), part("large.pdf", 250_000), part("b.pdf", 70_000))
    async with small_world(tmp_path, scenario=scenario) as here:
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


async def test_images_keep_their_content_ids_names_every_form_and_letters_are_files(
    tmp_path: Path,
) -> None:
    names = {
        'filename="plain.pdf"': "plain.pdf",
        "filename*=utf-8''Gr%C3%BC%C3%9Fe%20%E2%82%AC.pdf": "Grüße €.pdf",
        "filename*0*=utf-8''%C3%9C;\r\n filename*1=ber-lang;\r\n filename*2=.pdf": "Über-lang.pdf",
        'filename="=?utf-8?Q?Z=C3=BCrich=2Epdf?="': "Zürich.pdf",
        "filename=bare.pdf": "bare.pdf",
        'filename="quo\\"te\\\\d.pdf"': "d.pdf",
    }
    parts = [part("x", 100, f"Content-Disposition: attachment;\r\n {form}\r\n") for form in names]
    nested = b"From: a@b\r\nSubject: =?utf-8?q?Fr=C3=BCher?=\r\n\r\nInner \xff\x00\r\n"
    parts.append(b"Content-Type: message/rfc822\r\n\r\n" + nested)
    image = part("logo.png", 90_000, IMAGE, "image/png")
    async with small_world(tmp_path) as here:
        message = letter(image, *parts, part("big.pdf", 150_000))
        await asyncio.to_thread(send, here, message)
        (mail,) = await here.cloud.mailboxes.arrived(1)
    found = {one.name: one for one in mail.content.attachments}
    assert set(names.values()) <= found.keys()
    assert found["Früher.eml"].content.rstrip(b"\r\n") == nested.rstrip(b"\r\n")
    logo = found["logo.png"]
    assert (logo.content_id, logo.inline, logo.content) == (
        "logo@shop",
        True,
        file("logo.png", 90_000),
    )


async def test_what_lies_in_drafts_and_what_it_lost_is_shown_while_it_waits(
    tmp_path: Path, capsys: object
) -> None:
    clock = FakeClock()
    async with small_world(tmp_path, clock=clock, extra=JSON) as here:
        here.cloud.faults.on(Answer(path="/api/v2.0/", status=503, every=2, times=1))
        message = letter(part("a.pdf", 1_000), part("b.pdf", 150_000), head=b"X-A: 1\r\nFoo: 2\r\n")
        await asyncio.to_thread(send, here, message)
        delayed = await here.event("delayed")
        told = await shown(here, delayed.queue_id)
    draft = told["parts"][0]["draft"]
    assert (draft["attachments"], draft["attached"], draft["uploaded"]) == (2, 1, 100_000)
    assert "the header field Foo" in draft["lost"]
    assert "authtoken" not in str(told)
    _print_message(told)
    out = capsys.readouterr().out  # type: ignore[attr-defined]
    assert "in Drafts 1 of 2 attachments, 100.0 kB of the next" in out
    assert "lost: the header field Foo" in out


async def test_an_account_that_may_not_create_drafts_announces_the_true_size(
    tmp_path: Path,
) -> None:
    async with small_world(tmp_path, account="") as here:

        def talk() -> None:
            with here.client() as client:
                client.ehlo()
                assert client.esmtp_features["size"] == str(CARRIED)
                code, said = client.mail("wp@contoso.com", [f"SIZE={CARRIED + 1}"])
                assert (code, said[:5]) == (552, b"5.3.4")
            code, said = refused(here, b"Subject: x\r\n\r\n" + b"x" * CARRIED)
            assert (code, said[:5]) == (552, b"5.3.4")

        await asyncio.to_thread(talk)
        assert here.cloud.mailboxes.submitted == []


async def test_an_account_that_may_takes_as_much_as_the_listener(tmp_path: Path) -> None:
    async with small_world(tmp_path) as here:

        def talk() -> None:
            with here.client() as client:
                client.ehlo()
                assert client.esmtp_features["size"] == "35000000"

        await asyncio.to_thread(talk)


TWO_ACCOUNTS = f"""
[accounts.plain]
scenario = "any-user"
tenant = "contoso.onmicrosoft.com"
client_id = "{CONFIDENTIAL_CLIENT}"
client_secret = "{CLIENT_SECRET}"
mailboxes = ["wp@contoso.com"]

[[routes]]
recipient = ["alice@contoso.com"]
account = "plain"

[[routes]]
account = "website"
"""


async def test_each_account_has_a_limit_of_its_own(tmp_path: Path) -> None:
    async with small_world(tmp_path, extra=TWO_ACCOUNTS) as here:
        message = letter(part("a.pdf", 100_000))
        code, said = await asyncio.to_thread(refused, here, message)
        assert (code, said[:5]) == (552, b"5.3.4")
        assert b"large_messages = true would let it through" in said
        logged = here.events("refused")[-1].fields
        assert "large_messages = true" in str(logged)
        await asyncio.to_thread(send, here, message, "bob@contoso.com")
        (mail,) = await here.cloud.mailboxes.arrived(1)
        assert mail.received == ("bob@contoso.com",)


async def test_what_is_signed_and_too_large_is_refused_at_once(tmp_path: Path) -> None:
    async with small_world(tmp_path) as here:
        message = letter(part("a.pdf", 200_000), kind="signed")
        code, said = await asyncio.to_thread(refused, here, message)
    assert (code, said[:5]) == (554, b"5.6.3")
    assert b"signed" in said


async def test_what_is_signed_deep_inside_is_reported_to_the_sender(tmp_path: Path) -> None:
    signed = b'Content-Type: multipart/signed; boundary="s"\r\n\r\n--s\r\n\r\nhi\r\n--s--\r\n'
    async with small_world(tmp_path) as here:
        await asyncio.to_thread(send, here, letter(signed, part("a.pdf", 200_000)))
        failed = await here.event("failed")
        assert "signed" in str(failed.fields["reason"])
        (report,) = await here.cloud.mailboxes.arrived(1)
        assert report.received == ("wp@contoso.com",)
        assert "signed" in report.content.text
        assert drafts(here) == 0


async def test_a_route_that_leaves_no_copy_leaves_none(tmp_path: Path) -> None:
    async with small_world(tmp_path, extra=NO_COPY) as here:
        await asyncio.to_thread(send, here, letter(part("a.pdf", 1_000)))
        (mail,) = await here.cloud.mailboxes.arrived(1)
        user = here.cloud.directory.user("wp@contoso.com")
        assert user is not None
        assert here.cloud.mailboxes.sent_items(user) == []
        assert files(mail) == {"a.pdf": file("a.pdf", 1_000)}


async def test_a_route_that_leaves_no_copy_refuses_what_is_signed_at_once(tmp_path: Path) -> None:
    async with small_world(tmp_path, extra=NO_COPY) as here:
        message = letter(part("a.p7s", 1_000), kind="signed")
        code, said = await asyncio.to_thread(refused, here, message)
    assert (code, said[:5]) == (554, b"5.6.3")
    assert b"no copy" in said
