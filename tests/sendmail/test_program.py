"""The program as its callers start it."""

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from graphrelay.sendmail import local
from tests.sendmail.relay import Scripted, scripted

LETTER = b"To: a@example.org\nCc: b@example.org\nBcc: c@example.org\nSubject: x\n\nhello\n.\nend\n"


class Caller:
    """A user with a drop folder."""

    def __init__(self, folder: Path) -> None:
        self.drop = folder / "drop"
        self.drop.mkdir()

    def call(
        self, *arguments: str, to: Scripted | None = None, stdin: bytes = LETTER
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-m", "graphrelay.sendmail", *arguments],
            input=stdin,
            capture_output=True,
            check=False,
            env={
                "PATH": os.environ["PATH"],
                "GRAPHRELAY_SOCKET": to.target if to else f"unix:{self.drop.parent}/none",
                "GRAPHRELAY_DROP": str(self.drop),
            },
        )

    @property
    def waiting(self) -> list[bytes]:
        return [path.read_bytes() for path in sorted(self.drop.iterdir())]


@pytest.fixture
def caller(tmp_path: Path) -> Caller:
    return Caller(tmp_path)


def test_recipients_come_from_headers_and_arguments(caller: Caller, tmp_path: Path) -> None:
    with scripted(tmp_path) as relay:
        done = caller.call("-t", "-i", "-f", "wp@contoso.com", "d@example.org", to=relay)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert relay.heard[1] == "MAIL FROM:<wp@contoso.com>"
    assert relay.heard[2:6] == [f"RCPT TO:<{who}@example.org>" for who in "dabc"]
    assert relay.messages == [LETTER.replace(b"\n.\n", b"\n..\n").replace(b"\n", b"\r\n")]
    assert caller.waiting == []


def test_without_i_a_dot_ends_it_and_the_caller_is_the_sender(
    caller: Caller, tmp_path: Path
) -> None:
    with scripted(tmp_path) as relay:
        assert caller.call("d@example.org", to=relay).returncode == 0
    assert relay.messages[0].endswith(b"hello\r\n")
    user = pwd.getpwuid(os.getuid()).pw_name
    assert relay.heard[1] == f"MAIL FROM:<{user}@{local.mail_domain()}>"


def test_a_refusal_is_reported_in_the_relays_words(caller: Caller, tmp_path: Path) -> None:
    with scripted(tmp_path, RCPT="550 5.7.1 No route takes that; see [[routes]]") as relay:
        done = caller.call("-i", "a@example.org", to=relay)
        quiet = caller.call("-oeq", "-i", "a@example.org", to=relay)
    assert done.returncode == os.EX_NOPERM
    told = b"sendmail: <a@example.org>: 550 5.7.1 No route takes that; see [[routes]]\n"
    assert done.stderr == told
    assert (quiet.returncode, quiet.stderr) == (os.EX_NOPERM, b"")
    assert caller.waiting == []


def test_without_a_relay_it_waits_and_the_caller_is_content(caller: Caller) -> None:
    done = caller.call("-v", "-t", "-i", "-f", "")
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"it waits in" in done.stdout
    (octets,) = caller.waiting
    assert octets.startswith(b"graphrelay drop 1\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.org>\r\n")
    assert octets.endswith(LETTER)


def test_without_relay_and_folder_the_failure_is_reported(caller: Caller) -> None:
    caller.drop.rmdir()
    done = caller.call("-i", "a@example.org")
    assert done.returncode == os.EX_TEMPFAIL
    assert b"No such file or directory" in done.stderr
    assert str(caller.drop).encode() in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        ([], os.EX_USAGE, b"no recipients"),
        (["-bd"], os.EX_USAGE, b"graphrelay serve"),
        (["-bp"], os.EX_UNAVAILABLE, b"graphrelay queue list"),
        (["a@b\nRCPT TO:<c@d>"], os.EX_DATAERR, b"not a mail address"),
        (["-f", "a@b\r\nX", "c@d"], os.EX_DATAERR, b"not a mail address"),
        (["--", "-x@y"], os.EX_USAGE, b"options come before"),
        (["-bi"], 0, b""),
    ],
)
def test_what_cannot_be_done_has_a_status_and_a_sentence(
    caller: Caller, arguments: list[str], status: int, told: bytes
) -> None:
    done = caller.call(*arguments)
    assert done.returncode == status
    assert told in done.stderr
    assert caller.waiting == []


def test_a_header_without_recipients_is_usage(caller: Caller) -> None:
    done = caller.call("-t", stdin=b"Subject: x\n\nTo: a@b\n")
    assert done.returncode == os.EX_USAGE
    assert b"no recipients in To, Cc or Bcc" in done.stderr


def test_a_full_name_makes_a_from_header_where_there_is_none(caller: Caller) -> None:
    caller.call("-F", 'Käthe "K"', "-f", "wp@contoso.com", "a@b.example")
    caller.call("-F", "Ignored", "a@b.example", stdin=b"From: x@y\nSubject: z\n\n")
    caller.call("-F", "山田　太郎\x1b", "-f", "wp@contoso.com", "a@b.example")
    first, second, third = caller.waiting
    assert b"From: =?UTF-8?B?S8OkdGhlIEs=?= <wp@contoso.com>\r\nTo: a@ex" in first
    assert b"=?UTF-8?B?5bGx55Sw44CA5aSq6YOO?= <" in third
    assert second.endswith(b"LAST\r\nFrom: x@y\nSubject: z\n\n")


def test_a_message_of_many_megabytes_goes_through(caller: Caller, tmp_path: Path) -> None:
    text = b"Subject: x\n\n" + b"a line of some length, as they are\n" * 100_000
    with scripted(tmp_path) as relay:
        assert caller.call("-i", "a@example.org", to=relay, stdin=text).returncode == 0
    assert relay.messages == [text.replace(b"\n", b"\r\n")]


def test_it_imports_only_the_standard_library_itself_and_what_it_shares_with_the_relay() -> None:
    script = (
        "import sys; before = set(sys.modules); import graphrelay.sendmail; "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    roots = {name.partition(".")[0] for name in done.stdout.split()}
    assert roots <= set(sys.stdlib_module_names) | {"graphrelay"}
    assert not roots & {"argparse", "dataclasses", "typing", "inspect", "email", "asyncio", "ssl"}
    own = {name for name in done.stdout.split() if name.startswith("graphrelay.")}
    shared = {name for name in own if not name.startswith("graphrelay.sendmail")}
    assert shared == {"graphrelay.mime", "graphrelay.mime.address_tokens"}
