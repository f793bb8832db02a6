"""To the relay, else into the drop folder, else back to the caller: a message is never lost."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from graphrelay.sendmail.envelope import Envelope
from graphrelay.sendmail.handover import DROP_FOLDER, SOCKET, Places, Taken, hand_over
from graphrelay.sendmail.message import Message
from graphrelay.sendmail.smtp import Refused
from graphrelay.sendmail.stop import Stop
from tests.sendmail.relay import scripted

ENVELOPE = Envelope("wp@contoso.com", ["a@example.org"])


@pytest.fixture
def written() -> Iterator[Message]:
    message = Message()
    message.add(b"Subject: x\n\nhello\n")
    message.complete()
    yield message
    message.close()


def test_places_are_the_units_unless_the_environment_names_others() -> None:
    usual = Places({})
    assert (usual.socket, usual.drop_folder) == (SOCKET, DROP_FOLDER)
    other = Places({"GRAPHRELAY_SOCKET": "127.0.0.1:25", "GRAPHRELAY_DROP": "/drop"})
    assert (other.socket, other.drop_folder) == ("127.0.0.1:25", "/drop")


def test_the_relays_own_reply_comes_back(written: Message, tmp_path: Path) -> None:
    with scripted(tmp_path, dot="250 2.0.0 Ok: queued as A1") as relay:
        places = Places({"GRAPHRELAY_SOCKET": relay.target, "GRAPHRELAY_DROP": str(tmp_path)})
        taken = hand_over(ENVELOPE, written, places)
    assert isinstance(taken, Taken)
    assert "queued as A1" in taken.said


def test_a_refusal_is_final_and_nothing_is_left_in_the_folder(
    written: Message, tmp_path: Path
) -> None:
    folder = tmp_path / "drop"
    folder.mkdir()
    with scripted(tmp_path, RCPT="550 5.1.1 no such user") as relay:
        places = Places({"GRAPHRELAY_SOCKET": relay.target, "GRAPHRELAY_DROP": str(folder)})
        assert isinstance(hand_over(ENVELOPE, written, places), Refused)
    assert list(folder.iterdir()) == []


def test_without_a_relay_the_folder_keeps_it(written: Message, tmp_path: Path) -> None:
    folder = tmp_path / "drop"
    folder.mkdir()
    places = Places({"GRAPHRELAY_SOCKET": f"unix:{tmp_path}/none", "GRAPHRELAY_DROP": str(folder)})
    taken = hand_over(ENVELOPE, written, places)
    assert isinstance(taken, Taken)
    (kept,) = folder.iterdir()
    assert kept.name in taken.said


def test_with_neither_the_caller_may_try_again(written: Message, tmp_path: Path) -> None:
    places = Places(
        {"GRAPHRELAY_SOCKET": f"unix:{tmp_path}/none", "GRAPHRELAY_DROP": f"{tmp_path}/none"}
    )
    with pytest.raises(Stop, match="No such file or directory") as stopped:
        hand_over(ENVELOPE, written, places)
    assert stopped.value.status == os.EX_TEMPFAIL
