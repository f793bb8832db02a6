"""Mail in a loop is refused; all other mail is left as it is."""

from email.utils import format_datetime

import pytest

from graphrelay.mime import header
from graphrelay.mime.header import HeaderSection
from graphrelay.model import Reply
from graphrelay.relay.accept import trace
from tests.relay.mail import NOON

HOST = "relay.contoso.com"
FOREIGN = b"Received: from a.example by b.example with ESMTP; Mon, 23 Nov 2026 10:00:00 +0000\r\n"


def section(octets: bytes) -> HeaderSection:
    found = header.read(octets + b"Subject: hi\r\n\r\ntext\r\n", complete=True)
    assert found is not None
    return found


def test_what_an_application_wrote_gets_no_trace() -> None:
    assert trace.received(section(b"From: a@b.example\r\n"), HOST, NOON) == b""


def test_what_has_been_on_the_way_gets_ours_without_the_address_of_the_client() -> None:
    added = trace.received(section(FOREIGN), HOST, NOON)
    assert added == f"Received: by {HOST} (graphrelay); {format_datetime(NOON)}\r\n".encode()


def test_a_message_that_comes_back_again_and_again_is_refused() -> None:
    octets = FOREIGN
    for _ in range(trace.MOST_VISITS):
        assert trace.loop(section(octets), HOST) is None
        octets = FOREIGN + trace.received(section(octets), HOST, NOON) + octets
    refusal = trace.loop(section(octets), HOST)
    assert refusal is not None
    assert (refusal.code, refusal.status) == (554, "5.4.6")
    assert trace.loop(section(octets), "another.contoso.com") is None


@pytest.mark.parametrize(("hops", "refused"), [(trace.MOST_HOPS, False), (51, True), (200, True)])
def test_too_many_hops_are_a_loop_whoever_made_them(hops: int, refused: bool) -> None:
    assert isinstance(trace.loop(section(FOREIGN * hops), HOST), Reply) is refused


def test_a_folded_trace_counts_too() -> None:
    folded = b"Received: by\r\n " + f"{HOST} (graphrelay); today\r\n".encode()
    assert trace.loop(section(folded * 3), HOST) is not None
