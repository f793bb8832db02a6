"""Reading non-delivery reports: what is one is understood, and nothing else trips us up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.relay import bounce
from graphrelay.relay.bounce import Bounce, Failure

HEAD = b"""From: Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@contoso.com>\r
Subject: Unzustellbar: Order\r
In-Reply-To: <reply@contoso.com>\r
Content-Type: multipart/report; report-type=delivery-status; boundary=b\r
\r
--b\r
Content-Type: text/plain\r
\r
Delivery has failed\r
"""
STATUS = b"""--b\r
Content-Type: message/delivery-status\r
\r
Reporting-MTA: dns;EUR01.prod.exchangelabs.com\r
\r
Final-Recipient: rfc822;nobody@example.org\r
Action: failed\r
Status: 5.1.10\r
Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound;\r
 Recipient not found\r
\r
Final-Recipient: rfc822;late@example.org\r
Action: delayed\r
Status: 4.4.7\r
\r
Original-Recipient: rfc822;full@example.org\r
Action: failed\r
Status: 5.2.2\r
"""
ORIGINAL = b"""--b\r
Content-Type: message/rfc822\r
\r
From: wp@contoso.com\r
Message-ID: <1@contoso.com>\r
\r
text\r
"""
END = b"--b--\r\n"
FAILURES = (
    Failure(
        "nobody@example.org",
        "5.1.10",
        "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found",
    ),
    Failure("full@example.org", "5.2.2", ""),
)


@pytest.mark.parametrize(
    ("original", "ids"),
    [
        (ORIGINAL, ("<1@contoso.com>", "<reply@contoso.com>")),
        (
            b"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-Id:\r\n <1@contoso.com>\r\n",
            ("<1@contoso.com>", "<reply@contoso.com>"),
        ),
        (b"", ("<reply@contoso.com>",)),
    ],
    ids=["whole", "header", "none"],
)
def test_it_names_the_message_the_recipients_that_failed_and_why(
    original: bytes, ids: tuple[str, ...]
) -> None:
    assert bounce.read(HEAD + STATUS + original + END) == Bounce(ids, FAILURES)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"Subject: hi\r\n\r\n550 5.1.10 nobody@example.org",
        HEAD + END,
        HEAD + STATUS.replace(b"failed", b"delivered") + ORIGINAL + END,
        (HEAD + STATUS + END).replace(b"In-Reply-To", b"X"),
        HEAD.replace(b"multipart/report", b"multipart/mixed") + STATUS + ORIGINAL + END,
    ],
)
def test_what_is_no_report_of_failure_is_none(octets: bytes) -> None:
    assert bounce.read(octets) is None


def test_what_stands_in_it_is_one_line_of_bounded_length() -> None:
    octets = HEAD + STATUS.replace(b"Recipient not found", b"\x1b[2J\x00" + b"x" * 9000) + ORIGINAL
    read = bounce.read(octets + END)
    assert read is not None
    assert read.failures[0].reason.isprintable()
    assert len(read.failures[0].reason) == bounce.LONGEST_REASON


PIECES = [HEAD, STATUS, ORIGINAL, END, b"--b\r\n", b"Content-Type: ", b"\xff\x00", b"\r\n\r\n"]


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=60))))
def test_nothing_that_comes_in_trips_it_up(pieces: list[bytes]) -> None:
    bounce.read(b"".join(pieces))


@given(st.data())
def test_a_report_cut_short_anywhere_does_not_either(data: st.DataObject) -> None:
    whole = HEAD + STATUS + ORIGINAL + END
    bounce.read(whole[: data.draw(st.integers(0, len(whole)))])
