"""The messages that the doctor sends."""

from datetime import UTC, datetime
from email import message_from_bytes, policy

import pytest

from graphrelay.doctor.letter import Letter, Padded

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
LETTER = Letter(
    key="bcc", run="0a1b", sender="wp@contoso.com", at=AT, to=("a@b.example",), bcc=("c@d.example",)
)


def test_a_letter_is_a_whole_message() -> None:
    read = message_from_bytes(LETTER.octets, policy=policy.default)
    assert read["From"] == "graphrelay doctor <wp@contoso.com>"
    assert (read["To"], read["Bcc"]) == ("a@b.example", "c@d.example")
    assert read["Subject"] == "graphrelay doctor 0a1b bcc"
    assert read["Message-ID"] == "<bcc.0a1b@graphrelay.invalid>"
    assert read["Date"] == "Mon, 23 Nov 2026 12:00:00 +0000"
    assert "Nothing has to be done" in read.get_content()
    assert b"\n" not in LETTER.octets.replace(b"\r\n", b"")


def test_as_json_it_has_the_same_recipients_and_no_headers_unless_named() -> None:
    message = LETTER.as_json()
    assert message["bccRecipients"] == [{"emailAddress": {"address": "c@d.example"}}]
    assert "internetMessageHeaders" not in message
    assert LETTER.as_json(("X-A",))["internetMessageHeaders"] == [{"name": "X-A", "value": "1"}]


@pytest.mark.parametrize("size", [3, 10, 100_000, 312_345])
async def test_padding_makes_up_the_size(size: int) -> None:
    padded = Padded(b"a", size, b"zz")
    octets = b"".join([piece async for piece in padded.chunks()])
    assert len(octets) == size
    assert octets.startswith(b"a")
    assert octets.endswith(b"zz")
