"""The client's side of SMTP, against a relay that answers as a test specifies."""

import os
import socket
import threading
from pathlib import Path

import pytest

from graphrelay.sendmail import smtp
from graphrelay.sendmail.envelope import Envelope
from graphrelay.sendmail.message import Message
from graphrelay.sendmail.smtp import Later, Outcome, Refused, Reply, Sent, exit_status
from tests.sendmail.relay import HANGS_UP, Scripted, scripted

PEOPLE = [f"user{number}@example.org" for number in range(5)]


def submit(relay: Scripted | str, text: bytes = b"Subject: x\n\n.text", *to: str) -> Outcome:
    written = Message()
    written.add(text)
    written.complete()
    target = relay if isinstance(relay, str) else relay.target
    return smtp.submit(target, Envelope("wp@contoso.com", list(to or PEOPLE)), written)


def test_a_message_is_sent_once_to_everybody(tmp_path: Path) -> None:
    with scripted(tmp_path) as relay:
        outcome = submit(relay)
    assert isinstance(outcome, Sent)
    assert str(outcome.reply) == "250 2.0.0 Ok: queued"
    assert relay.heard[1:] == [
        "MAIL FROM:<wp@contoso.com>",
        *(f"RCPT TO:<{person}>" for person in PEOPLE),
        "DATA",
        "QUIT",
    ]
    assert relay.messages == [b"Subject: x\r\n\r\n..text\r\n"]


def test_eight_bit_text_is_declared(tmp_path: Path) -> None:
    with scripted(tmp_path) as relay:
        submit(relay, "Subject: x\n\nGrüße\n".encode(), "jürgen@example.org")
    assert relay.heard[1] == "MAIL FROM:<wp@contoso.com> BODY=8BITMIME SMTPUTF8"


@pytest.mark.parametrize(
    ("stage", "reply", "status"),
    [
        ("greeting", "554 5.7.1 192.0.2.1 may not use this relay (allow_from)", os.EX_NOPERM),
        ("MAIL", "552 5.3.4 The message is too big: at most 1000 octets", os.EX_UNAVAILABLE),
        ("MAIL", "530 5.7.0 Authentication required (AUTH)", os.EX_NOPERM),
        ("DATA", "554 5.5.1 No valid recipients", os.EX_PROTOCOL),
        ("dot", "550 5.6.0 Not a message", os.EX_DATAERR),
        ("dot", "554 nothing more is known", os.EX_UNAVAILABLE),
    ],
)
def test_a_refusal_is_final(tmp_path: Path, stage: str, reply: str, status: int) -> None:
    with scripted(tmp_path, **{stage: reply}) as relay:
        outcome = submit(relay)
    assert isinstance(outcome, Refused)
    assert str(outcome) == reply
    assert exit_status(outcome.reply, outcome.whom) == status


def test_one_refused_recipient_stops_the_message_for_all(tmp_path: Path) -> None:
    with scripted(tmp_path, **{"RCPT TO:<user3@": "550 5.1.3 cannot be mailed to"}) as relay:
        outcome = submit(relay)
    assert isinstance(outcome, Refused)
    assert str(outcome) == "<user3@example.org>: 550 5.1.3 cannot be mailed to"
    assert exit_status(outcome.reply, outcome.whom) == os.EX_NOUSER
    assert relay.messages == []
    assert "DATA" not in relay.heard


@pytest.mark.parametrize("stage", ["greeting", "EHLO", "MAIL", "RCPT TO:<user3@", "DATA", "dot"])
@pytest.mark.parametrize("reply", ["451 4.3.0 later", "421 4.3.2 stopping", HANGS_UP, "what?"])
def test_later_in_any_form_is_one_answer(tmp_path: Path, stage: str, reply: str) -> None:
    with scripted(tmp_path, **{stage: reply}) as relay:
        outcome = submit(relay)
    assert isinstance(outcome, Later)
    assert outcome.recipients == PEOPLE


def test_a_relay_that_is_not_there_is_later(tmp_path: Path) -> None:
    outcome = submit(f"unix:{tmp_path}/smtp.sock")
    assert isinstance(outcome, Later)
    assert "No such file" in outcome.reason
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(f"{tmp_path}/smtp.sock")
        outcome = submit(f"{tmp_path}/smtp.sock")
    assert isinstance(outcome, Later)
    assert "refused" in outcome.reason


def test_nonsense_for_an_address_is_later_in_words() -> None:
    outcome = submit("somewhere")
    assert isinstance(outcome, Later)
    assert "write unix:/path or host:port" in outcome.reason


def test_those_who_are_too_many_get_it_in_a_transaction_of_their_own(tmp_path: Path) -> None:
    class OnlyTwo(Scripted):
        taken = 0

        def _answer(self, command: str) -> str:
            if command.startswith("MAIL"):
                self.taken = 0
            if not command.startswith("RCPT"):
                return super()._answer(command)
            self.taken += 1
            return "250 2.1.5 Ok" if self.taken <= 2 else "452 4.5.3 Too many recipients"

    with scripted(tmp_path) as relay:
        relay.__class__ = OnlyTwo
        outcome = submit(relay)
    assert isinstance(outcome, Sent)
    assert len(relay.messages) == 3
    sent_to = [command for command in relay.heard if command.startswith("RCPT")]
    assert sent_to == [f"RCPT TO:<{person}>" for person in PEOPLE + PEOPLE[2:] + PEOPLE[4:]]


def test_who_is_too_many_alone_is_later(tmp_path: Path) -> None:
    with scripted(tmp_path, RCPT="452 4.3.1 Mail cannot be stored now") as relay:
        outcome = submit(relay)
    assert isinstance(outcome, Later)
    assert outcome.recipients == PEOPLE
    assert "DATA" not in relay.heard


def test_a_reply_of_many_lines_is_one_sentence() -> None:
    reply = Reply(550, ["5.7.1 This is", "5.7.1 too long for", "5.7.1 one line"])
    assert str(reply) == "550 5.7.1 This is too long for one line"
    assert reply.status == "5.7.1"


def test_tcp_works_as_well(tmp_path: Path) -> None:
    with scripted(tmp_path) as relay, socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        thread = threading.Thread(target=lambda: relay.serve(server.accept()[0]))
        thread.start()
        outcome = submit(f"127.0.0.1:{port}")
        thread.join()
    assert isinstance(outcome, Sent)
    assert len(relay.messages) == 1
