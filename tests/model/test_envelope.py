"""An envelope for some of its recipients."""

from graphrelay.model import Address, DsnRequest, Envelope, Reply

ANNA, BERT = Address("anna", "example.org"), Address("bert", "example.org")


def test_what_was_asked_of_others_stays_behind() -> None:
    envelope = Envelope(None, (ANNA, BERT), "id-1", "HDRS", (DsnRequest(BERT, ("NEVER",)),))
    part = envelope.to((ANNA,))
    assert part == Envelope(None, (ANNA,), "id-1", "HDRS")
    assert envelope.to((BERT,)).dsn_requests == envelope.dsn_requests


def test_for_all_recipients_it_is_the_same() -> None:
    envelope = Envelope(ANNA, (ANNA, BERT))
    assert envelope.to((ANNA, BERT)) is envelope


def test_a_reply_reads_as_it_stands_on_the_wire() -> None:
    assert str(Reply(550, "5.1.1", "no such user")) == "550 5.1.1 no such user"
