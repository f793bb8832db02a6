"""The octets that are submitted to Graph."""

from dataclasses import replace
from email import message_from_bytes
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.mime import header
from graphrelay.model import InlineBody, OctetSource, StorageUnavailable
from graphrelay.relay.outgoing import as_mime
from graphrelay.spool.sqlite.files.bodies import FileBody
from tests.relay.mail import plan, recipients_by_python, section, submission
from tests.relay.outgoing.test_destination import HEADS

HEAD = b"From: info@contoso.com\r\nTo: a@b.example\r\nSubject:  as  it came\r\n"
BODIES = {
    "signed": (
        b"Content-Type: multipart/signed; micalg=sha-256; boundary=x\r\n",
        b"--x\r\nContent-Type: text/plain\r\n\r\ntrailing space \r\n--x\r\n\r\nMIIB\r\n--x--\r\n",
    ),
    "calendar": (
        b'Content-Type: text/calendar; method=REQUEST; charset="utf-8"\r\n',
        b"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n",
    ),
    "flowed": (b"Content-Type: text/plain; format=flowed; delsp=yes\r\n", b"soft \r\nbreak\r\n"),
    "nested": (
        b"Content-Type: message/rfc822\r\n",
        b"From: x@y\r\nTo: nobody@else.example\r\nBcc: hidden@else.example\r\n\r\ntext\r\n",
    ),
    "broken boundary": (b"Content-Type: multipart/mixed; boundary=z\r\n", b"--y\r\n\r\n--z"),
    "binary": (b"Content-Transfer-Encoding: binary\r\n", bytes(range(256)) * 20),
    "long lines": (b"", b"x" * 100_000 + b"\r\n"),
    "nothing": (b"", b""),
    "headers in the text": (b"", b"Bcc: x@y\r\n\r\nTo: q@r\r\n"),
}


async def octets(source: OctetSource) -> bytes:
    return b"".join([piece async for piece in source.chunks()])


@pytest.mark.parametrize(("fields", "body"), BODIES.values(), ids=BODIES.keys())
async def test_what_need_not_change_goes_out_octet_for_octet(fields: bytes, body: bytes) -> None:
    whole = HEAD + fields + b"\r\n" + body
    source = await as_mime.outgoing(submission(whole, "a@b.example"))
    assert await octets(source) == whole
    assert source.size == len(whole)


@pytest.mark.parametrize(("fields", "body"), BODIES.values(), ids=BODIES.keys())
async def test_the_body_is_untouched_where_headers_change(fields: bytes, body: bytes) -> None:
    whole = b"From: root@host\r\nBcc: x@y\r\nTo: z@z\r\n" + fields + b"\r\n" + body
    sent = await octets(
        await as_mime.outgoing(submission(whole, "a@b.example", planned=plan("info@contoso.com")))
    )
    assert sent.endswith(b"\r\n\r\n" + body)
    assert fields in sent
    assert recipients_by_python(sent.partition(b"\r\n\r\n")[0] + b"\r\n") == ["a@b.example"]


async def test_what_acceptance_added_stands_first() -> None:
    prefix = b"Date: Mon, 23 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@contoso.com>\r\n"
    sent = await octets(
        await as_mime.outgoing(
            submission(HEAD + b"Date: \r\nmessage-id:\r\n\r\nx", "a@b.example", prefix=prefix)
        )
    )
    assert sent == prefix + HEAD + b"\r\nx"


async def test_a_message_of_nothing_but_text_keeps_its_text() -> None:
    prefix = b"Date: x\r\nMessage-ID: <1@contoso.com>\r\n"
    sent = await octets(
        await as_mime.outgoing(
            submission(b"just text\r\nTo: x@y\r\n", "a@b.example", prefix=prefix)
        )
    )
    assert sent == (
        prefix + b"From: info@contoso.com\r\nBcc: a@b.example\r\n\r\njust text\r\nTo: x@y\r\n"
    )


async def test_one_date_one_message_id_and_one_subject_go_out() -> None:
    """It is not documented which of two Exchange would use; the journal names the first."""
    head = b"Message-ID: \r\nMessage-ID: <1@x>\r\nmessage-id: <2@x>\r\nDate: a\r\nDate: b\r\n"
    head += b"Subject:\r\nSubject: 1\r\n"
    sent = await octets(await as_mime.outgoing(submission(head + HEAD + b"\r\nx", "a@b.example")))
    assert sent == (
        b"Message-ID: <1@x>\r\nX-Graphrelay-message-id: <2@x>\r\n"
        b"Date: a\r\nX-Graphrelay-Date: b\r\nSubject: 1\r\n"
        + HEAD.replace(b"Subject", b"X-Graphrelay-Subject")
        + b"\r\nx"
    )


@given(HEADS, st.binary(max_size=40))
async def test_memory_and_file_give_the_same_octets_each_time(head: bytes, body: bytes) -> None:
    whole = head + b"\r\n" + body
    with TemporaryDirectory() as folder:
        path = Path(folder) / "body"
        path.write_bytes(whole)
        inline = await as_mime.outgoing(submission(InlineBody(whole), "a@b.example"))
        filed = await as_mime.outgoing(submission(FileBody(path, len(whole)), "a@b.example"))
        sent = await octets(inline)
        assert await octets(filed) == await octets(filed) == sent == await octets(inline)
        assert inline.size == filed.size == len(sent)


async def test_a_large_message_comes_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "body"
    whole = HEAD + b"\r\n" + b"0123456789abcde\n" * 100_000
    path.write_bytes(whole)
    source = await as_mime.outgoing(submission(FileBody(path, len(whole)), "a@b.example"))
    pieces = [piece async for piece in source.chunks()]
    assert max(map(len, pieces)) <= as_mime.PIECE
    assert b"".join(pieces) == whole


async def test_a_file_that_lost_octets_is_not_sent_as_whole(tmp_path: Path) -> None:
    path = tmp_path / "body"
    whole = HEAD + b"\r\n" + bytes(10_000)
    path.write_bytes(whole)
    source = await as_mime.outgoing(submission(FileBody(path, len(whole)), "a@b.example"))
    path.write_bytes(HEAD + b"\r\nshort")
    with pytest.raises(StorageUnavailable, match="shorter"):
        await octets(source)
    path.unlink()
    with pytest.raises(StorageUnavailable, match="No such file"):
        await octets(source)
    with pytest.raises(StorageUnavailable, match="No such file"):
        await as_mime.outgoing(submission(FileBody(path, 10_000), "a@b.example"))


async def test_a_header_section_of_almost_the_limit_is_spliced(tmp_path: Path) -> None:
    fields = b"X-Filler: " + b"x" * 100 + b"\r\n"
    whole = HEAD + fields * 2_300 + b"Bcc: hidden@x.example\r\n\r\nbody\r\n"
    assert header.LIMIT * 0.9 < len(whole) < header.LIMIT
    path = tmp_path / "body"
    path.write_bytes(whole)
    for body in (InlineBody(whole), FileBody(path, len(whole))):
        sent = await octets(await as_mime.outgoing(submission(body, "a@b.example")))
        assert sent == HEAD + fields * 2_300 + b"\r\nbody\r\n"


async def test_a_header_section_without_end_is_an_error(tmp_path: Path) -> None:
    whole = HEAD + b"X: y\r\n" * 200_000
    path = tmp_path / "body"
    path.write_bytes(whole + b"\r\nbody")
    with pytest.raises(as_mime.UnreadableHeader):
        await as_mime.outgoing(submission(FileBody(path, len(whole) + 6), "a@b.example"))


async def test_a_redirected_message_goes_to_one_and_names_the_true_recipients(
    tmp_path: Path,
) -> None:
    whole = (
        b"From: info@contoso.com\r\nTo: a@b.example\r\nMIME-Version: 1.0\r\n"
        b'Content-Type: text/html; charset="iso-8859-1"\r\nSubject: x\r\n\r\n<p>\xe9</p>'
    )
    path = tmp_path / "body"
    path.write_bytes(whole)
    staged = replace(plan(), redirect_to="me@x.example")
    for body in (InlineBody(whole), FileBody(path, len(whole))):
        source = await as_mime.outgoing(
            submission(body, "a@b.example", "jürgen@b.example", planned=staged)
        )
        sent = await octets(source)
        assert source.size == len(sent)
        assert recipients_by_python(sent.partition(b"\r\n\r\n")[0] + b"\r\n") == ["me@x.example"]
        _, note, original = message_from_bytes(sent).walk()
        assert note.get_content_charset() == "utf-8"
        assert b"redirected by the route 'default'" in sent
        assert "  jürgen@b.example\r\n".encode() in sent
        assert original.get_content_type() == "text/html"
        assert original.get_payload(decode=True) == b"<p>\xe9</p>"
        assert "X-Graphrelay-Recipients: a@b.example,\r\n jürgen@b.example\r\n".encode() in sent


def test_the_section_is_rendered_with_its_empty_line() -> None:
    found = section(HEAD)
    assert as_mime.rendered(found, submission(b"", "a@b.example")) == (HEAD + b"\r\n", b"")
