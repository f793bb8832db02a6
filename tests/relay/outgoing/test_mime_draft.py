"""A message without its files is still that message, and only files are missing from it."""

import base64
from email import message_from_bytes
from itertools import count

import pytest
from hypothesis import given

from graphrelay.relay.outgoing import mime_draft
from graphrelay.relay.outgoing.mime_draft import MARGIN, MimeDraft
from tests.relay.mail import submission
from tests.relay.outgoing.test_no_file_is_lost import TREES, Leaf, Tree

HEAD = b"From: wp@contoso.com\r\nTo: a@b.example\r\nSubject: s\r\nX-Job: 7\r\nMIME-Version: 1.0\r\n"
FILE = base64.b64encode(b"x" * 100_000)
BIG = (
    b"Content-Type: application/pdf; name=big.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + FILE
)
TEXT = b"Content-Type: text/plain\r\n\r\nHello \r\n"
SIGNED = (
    b'Content-Type: multipart/signed; boundary="s"\r\n\r\n--s\r\n\r\nhi \r\n--s\r\n\r\nsig\r\n--s--'
)


def multipart(kind: str, *parts: bytes, mark: str = "b") -> bytes:
    head = f'Content-Type: multipart/{kind}; boundary="{mark}"\r\n\r\n'.encode()
    inside = b"".join(f"--{mark}\r\n".encode() + one + b"\r\n" for one in parts)
    return head + inside + f"--{mark}--\r\n".encode()


async def converted(content: bytes, most: int = 4_000_000) -> MimeDraft | None:
    return await mime_draft.convert(submission(HEAD + content, "a@b.example"), most)


async def draft(content: bytes) -> MimeDraft:
    found = await converted(content)
    assert found
    return found


@given(TREES)
async def test_every_part_is_in_the_draft_or_a_file_and_nowhere_twice(tree: Leaf | Tree) -> None:
    found = await draft(multipart("mixed", TEXT, tree.written(count()), BIG, mark="outer"))
    files = [b"".join(one.content.pieces()) for one in found.attachments]
    message = message_from_bytes(found.octets)
    left = [part.get_payload(decode=True) for part in message.walk() if not part.is_multipart()]
    assert b"Hello \r\n" in left
    places = b"".join([*files, *(one for one in left if isinstance(one, bytes))])
    for leaf in tree.leaves:
        assert places.count(leaf.octets.split(b"\r\n")[-1]) == 1
        assert leaf.octets in files or leaf.disposition != "attachment"


async def test_what_is_no_file_keeps_its_octets() -> None:
    texts = multipart("alternative", TEXT, b"Content-Type: text/html\r\n\r\n<p>", mark="a")
    found = await draft(multipart("mixed", texts, BIG, SIGNED))
    content = multipart("mixed", texts, SIGNED)
    assert found.octets == HEAD + content
    assert [one.name for one in found.attachments] == ["big.pdf"]
    assert found.sealed == (b"--s\r\n\r\nhi \r\n--s\r\n\r\nsig\r\n--s--",)


@pytest.mark.parametrize(
    "content",
    [
        b"Content-Type: application/pdf\r\n\r\n" + b"x" * 200_000,
        multipart("mixed", BIG, BIG),
        multipart("mixed", TEXT, TEXT),
        multipart("signed", TEXT, BIG),
        multipart("mixed", TEXT + b"x" * 100_000, BIG),
        multipart("mixed", TEXT, BIG.replace(FILE, b"eHh4")),
        multipart("mixed", *[TEXT] * 1_001, BIG),
        multipart("mixed", *[SIGNED] * 11, BIG),
    ],
    ids=[
        "one part",
        "no text",
        "no file",
        "sealed",
        "long text",
        "small file",
        "tangled",
        "many sealed",
    ],
)
async def test_what_cannot_be_judged_or_keeps_nothing_is_not_sent_so(content: bytes) -> None:
    assert await converted(content) is None


async def test_texts_that_do_not_fit_into_a_request_do_not_go_so() -> None:
    content = multipart("mixed", TEXT, BIG)
    assert await converted(content, 1_000)
    assert await converted(content, 200) is None


async def test_only_a_longer_draft_that_shows_what_json_would_keep_is_sent() -> None:
    found = await draft(multipart("mixed", TEXT, SIGNED, BIG))
    more = b"x" * MARGIN
    assert await found.lost_of(found.octets) is None
    assert await found.lost_of(found.octets + more) == found.lost
    assert await found.lost_of(found.octets.replace(b"X-Job: 7\r\n", b"") + b"1" + more) is None
    assert await found.lost_of(found.octets.replace(b"hi \r\n", b"hi\r\n") + b"1" + more) is None
    gone = await found.lost_of(found.octets.replace(b"MIME-Version", b"MIME-Other---") + more)
    assert gone == found.lost


async def test_what_only_json_loses_may_be_lost() -> None:
    texts = multipart("alternative", TEXT, b"Content-Type: text/html\r\n\r\n<p>", mark="a")
    found = await draft(b"Precedence: bulk\r\n" + multipart("mixed", texts, BIG))
    shown = found.octets.replace(b"Precedence: bulk\r\n", b"").replace(b"text/plain", b"text/xxxxx")
    lost = await found.lost_of(shown + b"x" * (MARGIN + 100))
    assert lost == (
        *found.lost,
        "the alternative in text/plain",
        "the header field Precedence",
    )
