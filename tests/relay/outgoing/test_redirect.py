"""What a redirected message adds, and what it keeps."""

from dataclasses import replace

from graphrelay.relay.outgoing import redirect
from tests.relay.mail import plan, section, submission

HEAD = (
    b"From: wp@contoso.com\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n"
)
REDIRECTED = replace(plan(), redirect_to="test@contoso.com")


def test_the_content_moves_into_a_part_with_the_fields_that_describe_it() -> None:
    one = submission(HEAD, "a@b.example", planned=REDIRECTED)
    wrapping = redirect.wrapping(section(HEAD), one)
    moved = b"Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n"
    assert wrapping.before.endswith(b"\r\n" + moved + b"\r\n")
    head = section(HEAD).spliced(wrapping.edits)
    assert moved not in head
    assert head.count(b"MIME-Version") == 1
    boundary = head.partition(b'boundary="')[2].partition(b'"')[0]
    assert wrapping.before.count(b"--" + boundary + b"\r\n") == 2
    assert wrapping.after == b"\r\n--" + boundary + b"--\r\n"


def test_the_note_names_the_recipients_and_counts_those_beyond_a_page() -> None:
    many = [f"{number}@b.example" for number in range(203)]
    lines = redirect.note(submission(HEAD, *many, planned=REDIRECTED)).split("\r\n")
    assert lines[0] == "This message was redirected by the route 'default'."
    assert lines[2:4] == ["  0@b.example", "  1@b.example"]
    assert lines[-2] == "  and 3 more"


def test_a_part_of_a_message_has_a_boundary_of_its_own() -> None:
    first = replace(submission(HEAD, "a@b.example", planned=REDIRECTED), queue_id="Q/2")
    second = replace(first, id=2)
    edits = [redirect.wrapping(section(HEAD), one).edits.added for one in (first, second)]
    assert edits[0] != edits[1]
    assert b'boundary="graphrelay-Q-2-1"' in edits[0]
