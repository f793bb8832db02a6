"""Reading non-delivery reports: reports are understood, and other messages cause no errors."""

from base64 import encodebytes
from time import thread_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.relay.reports import ndr
from graphrelay.relay.reports.ndr import Failure, Ndr

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
    assert ndr.read(HEAD + STATUS + original + END) == Ndr(ids, FAILURES)


GLOBAL = (
    STATUS.replace(b"message/delivery", b"message/global-delivery")
    .replace(b"rfc822;nobody", "utf-8;nächste".encode())
    .replace(b"Recipient not found", "Empfänger fehlt".encode())
)


@pytest.mark.parametrize("part", [b"message/global", b"message/global-headers"])
def test_one_about_addresses_beyond_ascii_is_understood_too(part: bytes) -> None:
    original = ORIGINAL.replace(b"message/rfc822", part)
    assert ndr.read(HEAD + GLOBAL + original + END) == Ndr(
        ("<1@contoso.com>", "<reply@contoso.com>"),
        (
            Failure(
                "nächste@example.org",
                "5.1.10",
                "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Empfänger fehlt",
            ),
            FAILURES[1],
        ),
    )


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
    assert ndr.read(octets) is None


def test_what_stands_in_it_is_one_line_of_bounded_length() -> None:
    octets = HEAD + STATUS.replace(b"Recipient not found", b"\x1b[2J\x00" + b"x" * 9000) + ORIGINAL
    read = ndr.read(octets + END)
    assert read is not None
    assert read.failures[0].reason.isprintable()
    assert len(read.failures[0].reason) == ndr.LONGEST_REASON


@pytest.mark.parametrize("length", [ndr.LONGEST_RECIPIENT, ndr.LONGEST_RECIPIENT + 1])
def test_a_recipient_that_is_none_is_left_out(length: int) -> None:
    endless = b"x" * length
    read = ndr.read(HEAD + STATUS.replace(b"nobody@example.org", endless) + ORIGINAL + END)
    assert read is not None
    assert [len(one.recipient) for one in read.failures] == [*[length][: length <= 320], 16]


def test_of_endless_references_only_the_first_are_looked_for() -> None:
    many = b"References: " + b"\r\n ".join(b"<%d@x>" % number for number in range(1_000))
    read = ndr.read(many + b"\r\n" + HEAD + STATUS + ORIGINAL + END)
    assert read is not None
    assert len(read.message_ids) == ndr.MOST_IDS
    assert read.message_ids[:2] == ("<1@contoso.com>", "<reply@contoso.com>")


@pytest.mark.parametrize(("depth", "understood"), [(25, True), (60, False), (10_000, False)])
def test_a_report_of_endless_depth_is_none(depth: int, understood: bool) -> None:
    kind = b"Content-Type: multipart/mixed; Boundary =n%d\r\n\r\n--n%d\r\n"
    nested = b"".join(kind % (number, number) for number in range(depth))
    found = ndr.read(HEAD + STATUS + ORIGINAL + b"--b\r\n" + nested + b"\r\n" * 1_000 + END)
    assert (found is not None) == understood


@pytest.mark.parametrize("parameters", [b';"' + b";" * 60_000, b"; a*1=b" * 9_000])
def test_endless_parameters_are_read_in_a_moment(parameters: bytes) -> None:
    began = thread_time()
    ndr.read(HEAD.replace(b"; report-type", parameters + b"; report-type") + STATUS + END)
    ndr.read(HEAD + STATUS.replace(b"delivery-status\r", b"delivery-status%b\r" % parameters) + END)
    assert thread_time() - began < 0.5


def test_the_groups_of_fields_may_be_encoded() -> None:
    """RFC 6533 section 3 allows it."""
    kind, fields = GLOBAL.split(b"\r\n\r\n", 1)
    encoded = kind + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + encodebytes(fields)
    read, plain = (ndr.read(HEAD + one + ORIGINAL + END) for one in (encoded, GLOBAL))
    assert read is not None
    assert read == plain


def test_a_report_in_the_original_is_not_this_report() -> None:
    original = (
        ORIGINAL.replace(b"text\r\n", b"")[:-2]
        + HEAD[: HEAD.index(b"--b")].replace(b"=b\r", b"=c\r")
        + STATUS.replace(b"--b", b"--c").replace(b"nobody", b"another")
    )
    read = ndr.read(HEAD + STATUS + original + END)
    assert read == Ndr(("<1@contoso.com>", "<reply@contoso.com>"), FAILURES)


PIECES = [HEAD, STATUS, ORIGINAL, END, b"--b\r\n", b"Content-Type: ", b"\xff\x00", b"\r\n\r\n"]


@given(st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=60))))
def test_nothing_that_comes_in_trips_it_up(pieces: list[bytes]) -> None:
    ndr.read(b"".join(pieces))


@given(st.data())
def test_a_report_cut_short_anywhere_does_not_either(data: st.DataObject) -> None:
    whole = HEAD + STATUS + ORIGINAL + END
    ndr.read(whole[: data.draw(st.integers(0, len(whole)))])


# --- By its properties ----------------------------------------------------------------------------

HTML = """<html><body><p><b>Ihre Nachricht an nobody@example.org konnte nicht zugestellt
werden.</b></p><p>Remote Server an <a href="mailto:nobody@example.org">nobody@example.org</a>:
&#39;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found&#39;</p>
<p>To: anna@example.org</p></body></html>"""


def test_properties_name_the_recipient_that_a_reply_follows_and_no_other() -> None:
    """In any language, and without the others that the text lists."""
    read = ndr.of_properties("<1@contoso.com> <1@contoso.com>", HTML)
    assert read is not None
    assert read.message_ids == ("<1@contoso.com>",)
    (failure,) = read.failures
    assert (failure.recipient, failure.status) == ("nobody@example.org", "5.1.10")
    assert failure.reason.startswith("550 5.1.10 RESOLVER.ADR.RecipientNotFound")


@pytest.mark.parametrize(
    ("references", "html"),
    [("", HTML), ("<1@contoso.com>", ""), ("<1@contoso.com>", "to anna@example.org, in vain")],
)
def test_properties_that_do_not_say_what_failed_are_no_report(references: str, html: str) -> None:
    assert ndr.of_properties(references, html) is None


@given(st.text(max_size=300), st.text(max_size=300))
def test_any_properties_can_be_read(references: str, html: str) -> None:
    read = ndr.of_properties(references, html)
    assert read is None or (read.message_ids and read.failures)
