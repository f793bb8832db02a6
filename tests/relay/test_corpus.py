"""Mail that others wrote to test their own programs goes through as it is."""

from importlib import resources
from pathlib import Path

from tests.relay import corpus
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


async def test_what_did_not_arrive_as_it_was_is_told(tmp_path: Path) -> None:
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
