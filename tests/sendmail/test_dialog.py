"""SMTP on standard input and output."""

import io
from pathlib import Path

import pytest

from graphrelay.sendmail.dialog import Dialog
from graphrelay.sendmail.handover import Places
from graphrelay.sendmail.options import parse
from tests.sendmail.relay import scripted

HELLO = "EHLO here\r\nMAIL FROM:<wp@contoso.com>\r\nRCPT TO:<a@example.org>\r\n"


def places(folder: Path, target: str = "") -> Places:
    (folder / "drop").mkdir(exist_ok=True)
    return Places(
        {
            "GRAPHRELAY_SOCKET": target or f"unix:{folder}/nothing.sock",
            "GRAPHRELAY_DROP": str(folder / "drop"),
        }
    )


def talk(said: str, at: Places) -> list[str]:
    heard = io.BytesIO()
    Dialog(io.BytesIO(said.encode()), heard, at, parse(["sendmail", "-bs"])).converse()
    return heard.getvalue().decode().split("\r\n")[1:-1]


def test_the_final_dot_gets_the_relays_reply(tmp_path: Path) -> None:
    with scripted(tmp_path, dot="250 2.0.0 Ok: queued as 4QX7") as relay:
        heard = talk(
            f"{HELLO}RCPT TO:<b@example.org>\r\nDATA\r\n"
            "Subject: x\r\n\r\n..\r\nbye\n.\r\n.\r\nQUIT\r\n",
            places(tmp_path, relay.target),
        )
    assert heard[-3:] == [
        "354 End data with <CR><LF>.<CR><LF>",
        "250 2.0.0 Ok: queued as 4QX7",
        "221 2.0.0 Bye",
    ]
    assert relay.messages == [b"Subject: x\r\n\r\n..\r\nbye\r\n..\r\n"]
    assert "RCPT TO:<b@example.org>" in relay.heard


def test_a_refusal_by_the_relay_is_passed_on(tmp_path: Path) -> None:
    with scripted(tmp_path, RCPT="550 5.7.1 No route takes mail for that") as relay:
        heard = talk(f"{HELLO}DATA\r\n\r\n.\r\n", places(tmp_path, relay.target))
    assert heard[-1] == "550 5.7.1 <a@example.org>: No route takes mail for that"


def test_without_a_relay_the_message_waits(tmp_path: Path) -> None:
    heard = talk(f"{HELLO}DATA\r\nSubject: x\r\n\r\n.\r\n", places(tmp_path))
    assert heard[-1].startswith("250 2.0.0 Ok: ")
    assert len(list((tmp_path / "drop").iterdir())) == 1


def test_without_a_folder_too_it_is_a_temporary_failure(tmp_path: Path) -> None:
    at = places(tmp_path)
    (tmp_path / "drop").rmdir()
    assert talk(f"{HELLO}DATA\r\n\r\n.\r\n", at)[-1].startswith("451 4.3.0 ")


def test_a_client_of_bare_line_feeds_is_understood(tmp_path: Path) -> None:
    said = f"{HELLO}DATA\r\nSubject: x\r\n\r\none\r\n.\r\nQUIT\r\n".replace("\r\n", "\n")
    heard = talk(said, places(tmp_path))
    assert heard[-1] == "221 2.0.0 Bye"
    assert len(list((tmp_path / "drop").iterdir())) == 1


@pytest.mark.parametrize("end", ["\n.\n", "\r.\r", "\n.\r\n", "\r\n.\n"])
def test_a_message_ends_as_its_client_ends_lines(tmp_path: Path, end: str) -> None:
    said = f"{HELLO}DATA\r\na{end}MAIL FROM:<x@y>\r\nRCPT TO:<c@d>\r\nDATA\r\nb\r\n.\r\nQUIT\r\n"
    talk(said, places(tmp_path))
    assert len(list((tmp_path / "drop").iterdir())) == 1


def test_what_is_cut_short_goes_nowhere(tmp_path: Path) -> None:
    talk(f"{HELLO}DATA\r\nSubject: x\r\n", places(tmp_path))
    assert list((tmp_path / "drop").iterdir()) == []


def test_two_messages_go_one_after_the_other(tmp_path: Path) -> None:
    one = "MAIL FROM:<>\r\nRCPT TO:<a@b.example>\r\nDATA\r\nx\r\n.\r\n"
    heard = talk(f"HELO x\r\n{one}{one}QUIT\r\n", places(tmp_path))
    assert sum(line.startswith("250 2.0.0 Ok: ") for line in heard) == 2
    assert len(list((tmp_path / "drop").iterdir())) == 2


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("MAIL FROM:<a@b>", "503 5.5.1"),
        ("RCPT TO:<a@b>", "503 5.5.1"),
        ("DATA", "503 5.5.1"),
        ("VRFY a", "252 2.5.0"),
        ("HELP", "214 2.0.0"),
        ("NOOP", "250 2.0.0"),
        ("GET / HTTP/1.1", "500 5.5.1"),
    ],
)
def test_small_talk(tmp_path: Path, command: str, reply: str) -> None:
    (said,) = talk(f"{command}\r\n", places(tmp_path))
    assert said.startswith(reply)


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("MAIL FROM:wp", "501 5.5.4"),
        ("MAIL FROM:<a@b> BODY=8BITMIME SIZE=5", "250 2.1.0"),
        ("MAIL FROM:<a@b> X=1", "555 5.5.4"),
        ("MAIL FROM:<a@b> RET=SOME", "501 5.5.4"),
        ("MAIL FROM:<a\x07@b>", "553 5.1.7"),
    ],
)
def test_senders(tmp_path: Path, command: str, reply: str) -> None:
    assert talk(f"EHLO x\r\n{command}\r\n", places(tmp_path))[-1].startswith(reply)


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("RCPT TO:<>", "501 5.5.4"),
        ("RCPT TO:a@b", "501 5.5.4"),
        ("RCPT TO:<a@b> NOTIFY=NEVER", "250 2.1.5"),
        ('RCPT TO:<"a b"@x>', "250 2.1.5"),
        ("RCPT TO:<-x@b>", "550 5.1.1"),
        ("MAIL FROM:<a@b>", "503 5.5.1"),
    ],
)
def test_recipients(tmp_path: Path, command: str, reply: str) -> None:
    said = f"EHLO x\r\nMAIL FROM:<>\r\n{command}\r\n"
    assert talk(said, places(tmp_path))[-1].startswith(reply)
