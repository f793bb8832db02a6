"""Mail that others wrote to test their own programs is relayed unchanged."""

import asyncio
import hashlib
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest

from tests.relay import corpus, explained
from tests.relay.taken_apart import Difference, File, Seen
from tests.tools import needs
from tests.world import world


async def test_every_message_of_pythons_own_email_tests_arrives_as_it_was(tmp_path: Path) -> None:
    needs("python-tests")
    data = Path(str(resources.files("test.test_email") / "data"))
    files = sorted(data.iterdir())
    count, wrong = await corpus.run(files, tmp_path)
    assert wrong == []
    assert count == len(files) > 40
    print(f"{count} messages arrived as they were")


async def test_what_did_not_arrive_as_it_was_is_reported(tmp_path: Path) -> None:
    """The corpus run itself can fail."""
    path = tmp_path / "mail"
    path.write_bytes(b"To: a@b.example\n\ntext\n")
    (sent,) = corpus.messages([path])
    async with world(tmp_path) as here:
        assert await corpus.complaints(here, [sent], 0) == []
        (mail,) = here.cloud.mailboxes.submitted
        other = corpus.Sent("other", b"To: x@y\r\n\r\nother\r\n", sent.recipients)
        assert corpus.complaint(other, mail) == "octets of the body differ"
        stranger = corpus.Sent("stranger", sent.octets, ("x@y.example", "z@y.example"))
        assert "received by" in str(corpus.complaint(stranger, mail))


async def test_what_is_taken_apart_is_compared_with_what_another_parser_reads(
    tmp_path: Path,
) -> None:
    """The comparison finds each kind of difference, and nothing where there is none."""
    path = tmp_path / "mail"
    path.write_bytes(
        b"From: Shop <wp@contoso.com>\nSubject: Report\nContent-Type: multipart/mixed; boundary=b\n"
        b"\n--b\n\nhello\n--b\nContent-Type: image/x\n"
        b"Content-Disposition: attachment; filename=a.x\n\nfile\n--b--\n"
    )
    assert corpus.is_mail(path)
    [sent] = corpus.messages([path])
    async with world(tmp_path, extra=corpus.JSON) as here:
        await asyncio.to_thread(corpus.send, here.port, [sent])
        [mail] = await here.cloud.mailboxes.arrived(1)
    digest = hashlib.sha256(b"file").hexdigest()
    theirs = Seen("Report", "Shop", "hello\n", False, (File("a.x", digest, False),))
    assert list(corpus.differences_of([sent], [mail], [theirs])) == []
    for field, other in {
        "subject": "Re: Report",
        "name": "Shopping",
        "text": "good bye",
        "files": (),
        "file name": (File("b.x", digest, False),),
        "inline": (File("a.x", digest, True),),
    }.items():
        changed = {field if field in ("subject", "name", "text") else "files": other}
        [found] = corpus.differences_of([sent], [mail], [replace(theirs, **changed)])  # type: ignore[arg-type]
        assert f": {field}: " in found.line
        assert found.kind == ""


@pytest.mark.parametrize(
    ("octets", "what", "kind"),
    [
        (b"GIF89a\n\n", "text", "no mail: all of it is the text"),
        (b"Subject: a\n \t\nb: c\n\n", "subject", "a broken header section"),
        (b"From x\nFrom: a\n\n", "name", "an mbox line before the fields"),
        (
            b"Subject: a\nContent-Type: multipart/mixed; boundary=b\n\n--c\n",
            "text",
            "a multipart without its boundary",
        ),
        (b"Subject: a\n\n\xe9", "text", "octets that are not in the declared charset"),
        (b"Subject: a\nContent-Type: text\n\n", "files", "a Content-Type without a type"),
        (b"Subject: a\n\n", "subject", ""),
    ],
)
def test_a_difference_is_explained_by_what_the_message_is(
    octets: bytes, what: str, kind: str
) -> None:
    ours, theirs = Seen("", "", "GIF89a", False, ()), Seen("", "", "", False, ())
    same = kind.startswith("octets")
    found = Difference(what, "a\xe9", "a\ufffd" if same else "b")
    assert explained.why(octets, ours, theirs, found) == kind
