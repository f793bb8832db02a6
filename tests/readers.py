"""Every reader of text that strangers write, with the tokens of its grammar.

A new reader belongs here: `test_readers.py` gives each one arbitrary octets, and `test_growth.py`
checks that its work grows no faster than the text.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from graphrelay.drop import drop_file
from graphrelay.graph.http import answer
from graphrelay.journal import Entry, json_line, text_line
from graphrelay.journal.events import Held
from graphrelay.mime import (
    address_list,
    charsets,
    encoded_word,
    entity,
    header,
    parameters,
    transfer_encoding,
)
from graphrelay.model import Address, Envelope, InlineBody, Lane, Origin, Plan, Submission
from graphrelay.oauth.entra import claims
from graphrelay.relay.accept import reception, router, trace
from graphrelay.relay.accept.router import Route
from graphrelay.relay.outgoing import as_mime, body_parts, html_body, mime_draft
from graphrelay.relay.policy.mailbox import usable
from graphrelay.relay.reports import ndr
from graphrelay.retry_after import retry_after
from graphrelay.sendmail import dialog
from graphrelay.sendmail import header as sendmail_header
from graphrelay.sendmail.message import DotEnd
from graphrelay.sendmail.message import Message as Written
from graphrelay.sendmail.stop import Stop
from graphrelay.smtp.connection.transcript import Transcript
from graphrelay.smtp.grammar import arguments
from graphrelay.smtp.grammar.data import BinaryLineEnds, DataReader, LineEnds
from tests.relay.accept.test_router import TENANT, WEBSITE

_ORIGIN = Origin("127.0.0.1:2525", "127.0.0.1")
_WP = Address("wp", "contoso.com")
_TABLE = router.table(
    [
        Route(name="sender", sender=("*@contoso.com", "a*b*c@*"), account="website"),
        Route(name="header", header=(("Subject", "*x*y*"), ("To", "*@b*")), account="tenant"),
        Route(name="rest", account="website"),
    ],
    [WEBSITE, TENANT],
)


@dataclass(frozen=True, slots=True)
class Reader:
    """`read` accepts any octets; it never raises."""

    name: str
    read: Callable[[bytes], object]
    tokens: tuple[bytes, ...]

    def __str__(self) -> str:
        return self.name


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "backslashreplace")


def _below(field: bytes) -> Callable[[bytes], bytes]:
    """The octets as the value of a field, in a message."""
    return lambda octets: field + b": " + octets.replace(b"\r\n\r\n", b"") + b"\r\n\r\ntext\r\n"


def _submission(octets: bytes, **plan: str) -> Submission:
    return Submission(
        id=1,
        queue_id="Q1",
        envelope=Envelope(_WP, (Address("a", "b.example"),)),
        origin=_ORIGIN,
        plan=Plan(route="default", lane=Lane("website", "wp@contoso.com"), **plan),  # type: ignore[arg-type]
        received_at=datetime(2026, 11, 23, tzinfo=UTC),
        message_id="<x@y>",
        prefix=b"",
        body=InlineBody(octets),
        attempts=0,
    )


def _accepted(octets: bytes) -> object:
    """All that acceptance reads."""
    section = header.read(octets)
    if section is None:
        return None
    trace.loop(section, "relay.example")
    wanted = reception.transaction_of(section, Envelope(_WP, (_WP,)), _ORIGIN, _TABLE)
    return router.route(wanted, _TABLE), router.explain(wanted, _TABLE), section.charset


def _composed(octets: bytes) -> object:
    """All that is read of a header section to send it."""
    other = _submission(octets, from_address="other@contoso.com", subject_prefix="[ß]")
    with suppress(as_mime.UnreadableHeader):
        return [as_mime.spliced(one) for one in (_submission(octets), other)]
    return None


def _taken_apart(octets: bytes) -> object:
    section = header.read(octets)
    if section is None:
        return None
    source = InlineBody(octets)
    with suppress(entity.TooTangled):
        whole = entity.read(section, source, section.body_start, source.size)
        found = body_parts.take_apart(whole)
        if isinstance(found, body_parts.MessageBody):
            return [list(one.content.pieces()) for one in found.attachments]
        return found
    return None


_FILE = b"\r\n--b\r\nContent-Type: a/b\r\n\r\n" + b"x" * (mime_draft.MARGIN + 20_000)


def _without_files(octets: bytes) -> object:
    """A large message as a draft, and the parts of it that are read back."""
    message = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + octets + _FILE
    with suppress(as_mime.UnreadableHeader):
        draft = mime_draft._convert(_submission(message), 4_000_000)
        if draft:
            shown = (draft.octets, message, octets)
            return [draft._lost_of(one.ljust(draft.enough)) for one in shown]
    return None


def _content(encoding: str) -> Callable[[bytes], object]:
    return lambda octets: list(
        transfer_encoding.Content(InlineBody(octets), 0, len(octets), encoding).pieces()
    )


def _flowed(octets: bytes) -> object:
    return _taken_apart(b"Content-Type: text/plain; format=flowed; delsp=yes\r\n\r\n" + octets)


def _html(octets: bytes) -> object:
    text = octets.decode("latin-1")
    return (
        html_body.declared_charset(octets),
        html_body.says_nothing(text),
        html_body.content_ids(text),
        html_body.joined([text, text], 0),
    )


def _labelled(octets: bytes) -> object:
    """Encoded words of a charset that has a family, and a text of it."""
    return encoded_word.decode(b"=?gb2312?q?" + octets + b"?="), charsets.decode(octets, "gbk")


def _data(octets: bytes) -> object:
    return DataReader().feed(octets), LineEnds().feed(octets)


def _binary(octets: bytes) -> object:
    """In pieces as small as a network may deliver them."""
    reader = BinaryLineEnds()
    return [reader.feed(octets[at : at + 8]) for at in range(0, len(octets), 8)], reader.end()


def _commands(octets: bytes) -> object:
    text = _text(octets)
    return (
        arguments.mail_from("FROM:" + text),
        arguments.mail_from("FROM:<a@b.example> " + text),
        arguments.rcpt_to("TO:" + text),
        arguments.chunk_size(text),
    )


def _transcript(octets: bytes) -> object:
    transcript = Transcript()
    transcript.heard(octets)
    transcript.heard(b"AUTH " + octets)
    transcript.said(octets)
    return transcript.lines()


def _key(octets: bytes) -> object:
    return Address.parse(octets.decode("utf-8", "replace")).key


def _usable(octets: bytes) -> object:
    address = Address.parse(octets.decode("utf-8", "replace"))
    return usable(TENANT, address), address.matches(("a*b*@c*",))


def _sendmail(octets: bytes) -> object:
    with suppress(Stop):
        return sendmail_header.recipients(octets)
    return None


def _sendmail_list(octets: bytes) -> object:
    with suppress(Stop):
        return sendmail_header.addresses(octets)
    return None


def _standard_input(octets: bytes) -> object:
    dots, written = DotEnd(), Written()
    for at in range(0, len(octets), 4096):
        written.add(dots.feed(octets[at : at + 4096])[0])
    written.add(dots.end())
    written.complete()
    return list(written.pieces())


def _told(octets: bytes) -> object:
    entry = Entry(datetime(2026, 11, 23, tzinfo=UTC), Held("Q1", _text(octets)))
    return text_line(entry), json_line(entry)


def _graph(octets: bytes) -> object:
    text = octets.decode("latin-1")
    now = datetime(2026, 11, 23, tzinfo=UTC)
    return (
        answer.read_error(octets),
        retry_after({"retry-after": text}, now),
        answer.claims_challenge({"www-authenticate": text}),
    )


_WORDS = (b"=?utf-8?q?x_=C3?=", b"=?utf-8?b?YQ==?=", b"=?", b"?=", b"?q?", b"=?x?q?", b"=?a?b?")
_ADDRESSES = (
    *(b'"', b"\\", b'"\\', b'\\"', b"(", b")", b"\\(", b"<", b">", b"@", b",", b";", b":", b"."),
    *(b" ", b"\t", b"\r\n ", b"\0", b"a", b"a@b.example", b"<a@b>", b"=", b"\xe4", b"\xc3\xa4"),
    *(b"b", b"xn--", b"xn--b", b".xn--", b"[", b"]", b"@a,", b"<@"),
    *_WORDS,
)
_FIELDS = (
    *(b"From: ", b"To: ", b"Cc: a@b\r\n", b"Date: x\r\n", b"Message-ID: <a@b>\r\n", b"Bcc: "),
    *(b"Received: x\r\n", b"Reply-To: ", b"Sender: ", b"Subject: ", b"Content-Type: ", b"X-Y: z"),
    *(b"Resent-To: a@b\r\n", b"charset=", b"text/plain;", b"Date:\r\n", b"From root\r\n", b"X"),
    *(b"\r\n", b"\n", b"\r", b": ", b":", b"\r\n ", b"\n\t", b" \r\n", b"\xe4\xf6"),
    *_ADDRESSES,
)
_PARAMETERS = (
    *(b";", b"; ", b"=", b'"', b"\\", b"*", b"'", b"''", b"%", b"%41", b"name", b"name*0*=x;"),
    *(b"filename*=utf-8''a;", b"a=b;", b'a="b";', b"charset=x-y;", b" ", b"\r\n ", b"(", b"/"),
    *(b"*0*", b"*1=", b"a*9999*=b;", b"\xe4", *_WORDS),
)
_PARTS = (
    *(b"--b\r\n", b"--b--\r\n", b"\r\n--b", b"--b", b"--", b"\r\n", b"\n", b"\r\n\r\n", b"x", b">"),
    *(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n", b"Content-Type: text/html\r\n\r\n"),
    *(b"Content-Type: multipart/alternative; boundary=c\r\n\r\n", b"--c\r\n", b"--c--\r\n", b" "),
    *(b"Content-Type: message/rfc822\r\n\r\n", b"Content-ID: <x>\r\n", b"Content-Type: "),
    *(b"Content-Transfer-Encoding: base64\r\n\r\n", b"Content-Type: text/plain; format=flowed\r\n"),
    *(b"Content-Disposition: attachment; filename=", b"=", b"=\r\n", b"YWJj"),
)
_COMMANDS = (
    *(b"<", b">", b" ", b"\t", b"a", b"@", b"a@b.example", b".", b",", b":", b'"', b"\\", b"["),
    *(b"]", b"-", b"@x,", b"@x:", b"<a@b>", b"SIZE=1", b"BODY=8BITMIME ", b"NOTIFY=NEVER ", b"="),
    *(b"ORCPT=rfc822;a+41 ", b"ENVID=+", b"LAST", b"1", b"IPv6:::1", b"\xc3\xa4", b"xn--"),
)
_JSON = (
    *(b"{", b"}", b"[", b"]", b'"', b":", b",", b"\\", b"1", b"e", b" ", b'{"error":', b"null"),
    *(b'"innerError":{', b'"code":"x",', b'claims="', b", ", b"=", b";", b"\\u0041", b"-", b"."),
)
_HTML = (
    *(b"<", b">", b"</", b"<!--", b"-->", b"<meta ", b"charset=", b" ", b'"', b"utf-8", b"<body "),
    *(b"</body>", b"<style>", b"</style>", b"<title", b"<img", b"cid:", b"&", b"&#8203;", b"\xa0"),
)
_JAPANESE = (b"\x1b$B", b"\x1b(B", b"\x1b(J", b"\x1b(I", b"\x1b", b"-!", b'$"', b"a")
_REPORT = (
    *(b"Content-Type: multipart/report; boundary=b\r\n\r\n", b"Final-Recipient: rfc822; a@b\r\n"),
    *(b"Content-Type: message/delivery-status\r\n\r\n", b"Content-Type: message/rfc822\r\n\r\n"),
    *(b"Content-Type: message/global-delivery-status\r\n\r\n", b"Action: failed\r\n", b"\r\n"),
    *(b"Message-ID: <x@y>\r\n", b"References: <x@y>\r\n", b"<x@y>", b"<", b">", b"--b\r\n", b"--b"),
    *(b"--b--\r\n", b"boundary=", b"\r\n\r\n", b"\n \n", b"Content-Type: multipart/report; x="),
    *(b"Content-Type: text/rfc822-headers\r\n\r\n", b"Diagnostic-Code: smtp;", b"Status: 5\r\n"),
    *_PARAMETERS,
)

READERS = (
    Reader("header section", lambda octets: header.read(octets), _FIELDS),
    Reader("message as accepted", _accepted, (*_FIELDS, *_PARAMETERS)),
    Reader("message as sent", _composed, (*_FIELDS, *_PARAMETERS)),
    Reader("From as accepted", lambda octets: _accepted(_below(b"From")(octets)), _ADDRESSES),
    Reader("From as sent", lambda octets: _composed(_below(b"From")(octets)), _ADDRESSES),
    Reader("To as sent", lambda octets: _composed(_below(b"To")(octets)), _ADDRESSES),
    Reader("Reply-To as sent", lambda octets: _composed(_below(b"Reply-To")(octets)), _ADDRESSES),
    Reader("address list", lambda octets: address_list.read(octets), _ADDRESSES),
    Reader("display name", lambda octets: address_list.decoded_name(octets), _ADDRESSES),
    Reader("address key", _key, _ADDRESSES),
    Reader("mailbox and patterns", _usable, _ADDRESSES),
    Reader(
        "encoded words", lambda octets: encoded_word.decode(octets), (*_WORDS, b" ", b"a", b"?")
    ),
    Reader("parameters", lambda octets: parameters.read(octets), _PARAMETERS),
    Reader("MIME tree", _taken_apart, (*_PARTS, *_PARAMETERS)),
    Reader("draft without files", _without_files, (*_PARTS, *_PARAMETERS)),
    Reader(
        "flowed text", _flowed, (b">", b" ", b"\r\n", b"\n", b"a", b"-- ", b" \r\n", b"> a \r\n")
    ),
    Reader("HTML of a body", _html, _HTML),
    Reader("charset labels", _labelled, (b"?=", b"=?", b"?q?=80", b"gb2312", b"utf-7", b" ")),
    Reader("ISO-2022-JP", lambda octets: charsets.decode(octets, "iso-2022-jp"), _JAPANESE),
    Reader(
        "EUC-JP", lambda octets: charsets.decode(octets, "euc-jp"), (b"\xa4\xa2", b"\x8e\xb1", b"a")
    ),
    Reader("base64", _content("base64"), (b"YWJj", b"=", b"\r\n", b"!", b"a")),
    Reader("quoted-printable", _content("quoted-printable"), (b"=", b"=41", b"\r\n", b"\n", b" ")),
    Reader("report", lambda octets: ndr.read(octets), _REPORT),
    Reader("DATA", _data, (b"\r", b"\n", b".", b"\r\n", b"\r\n.", b"a")),
    Reader("BDAT in binary", _binary, (b"\r", b"\n", b"a:", b"\r\n", b"\r\r", b" ")),
    Reader("SMTP commands", _commands, _COMMANDS),
    Reader("transcript", _transcript, (b"AUTH", b" ", b"PLAIN", b"=", b"DATA", b"\xff", b"\r\n")),
    Reader(
        "drop file",
        lambda octets: drop_file.read(drop_file.MAGIC + octets, len(octets)),
        (b"MAIL FROM:<a@b>\r\n", b"RCPT TO:<a@b>\r\n", b"BDAT 1 LAST\r\n", b"\r\n", *_COMMANDS),
    ),
    Reader("sendmail -t", _sendmail, _FIELDS),
    Reader("sendmail's address list", _sendmail_list, _ADDRESSES),
    Reader("sendmail's input", _standard_input, (b"\n", b".", b"\r\n", b"From x\n", b">", b"a")),
    Reader("sendmail -bs", lambda octets: dialog._path("TO:", "TO:" + _text(octets)), _COMMANDS),
    Reader("answer of Graph", _graph, _JSON),
    Reader("claims of a token", lambda octets: claims.claims_of(octets.decode("latin-1")), _JSON),
    Reader("journal", _told, (b"a", b" ", b'"', b"=", b"\\", b"\xff", b"\0", b"\xe2\x80\xae")),
)
