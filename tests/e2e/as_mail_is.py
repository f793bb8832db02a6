"""A table of mail as programs really write it, and what readers must see of it.

Each message goes to an address of its own, by every way that the relay has.
"""

import base64
from dataclasses import dataclass
from urllib.parse import quote

Files = tuple[tuple[str, bytes, str], ...]
"""Name, octets, and `inline` or `attachment`."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One message. Fields that are `None` are not checked."""

    head: str | bytes
    """Fields besides From (unless it is there), To and MIME-Version; LF for CRLF."""
    body: str | bytes = "text\n"
    lines: tuple[bytes, ...] = ()
    """Whole lines of the header section that goes out as MIME."""
    subject: str = "x"
    name: str = ""
    """Of From."""
    reply_name: str = ""
    text: str | None = None
    """Taken apart; what is around it is not looked at."""
    html: bool = False
    files: Files = ()
    lost: str = ""
    """What is said to be lost where the message is taken apart."""
    mark: bytes = b""
    """Before the first field."""
    nested_name: str = "x.eml"
    """As a file of another message."""

    def octets(self, to: str) -> bytes:
        head = self.head if isinstance(self.head, bytes) else self.head.encode()
        for name, line in (("from", "From: wp@contoso.com\n"), ("subject", "Subject: x\n")):
            head += b"" if f"\n{name}:".encode() in b"\n" + head.lower() else line.encode()
        body = self.body if isinstance(self.body, bytes) else self.body.encode()
        whole = head + f"To: {to}\nMIME-Version: 1.0\n\n".encode() + body
        return self.mark + whole.replace(b"\n", b"\r\n")


def word(charset: str, text: str, codec: str = "") -> str:
    return f"=?{charset}?B?{base64.b64encode(text.encode(codec or charset)).decode()}?="


def multipart(kind: str, *parts: str | bytes, boundary: str = "b") -> bytes:
    """A part, or what follows the other fields of a message."""
    field = f'Content-Type: multipart/{kind}; boundary="{boundary}"\n\n'.encode()
    mark = b"--" + boundary.replace("\n", "").encode()
    octets = (part if isinstance(part, bytes) else part.encode() for part in parts)
    return field + b"".join(mark + b"\n" + part + b"\n" for part in octets) + mark + b"--\n"


def case(
    kind: str, *parts: str | bytes, head: str = "", boundary: str = "b", **seen: object
) -> Case:
    field, _, body = multipart(kind, *parts, boundary=boundary).partition(b"\n\n")
    return Case(head=head.encode() + field + b"\n", body=body, **seen)  # type: ignore[arg-type]


def pdf(disposition: str = "attachment", name: str = "a.pdf", more: str = "") -> str:
    named = f"; filename={name}" if name else ""
    return f"Content-Type: application/pdf\nContent-Disposition: {disposition}{named}\n{more}\nPDF"


HTML = "Content-Type: text/html; charset=utf-8\n\n<p>web</p>"
PLAIN = "Content-Type: text/plain\n\nplain"
DISHES = "餐飲業"
FAULT = "障害①㈱"
TECHNOLOGIST = "👩\u200d💻 Support"
TARO = "山田　太郎"
SEPARATORS = "می\u200cخواهم"
_GBK = 'Content-Type: text/plain; charset="gb2312"\nContent-Transfer-Encoding: 8bit\n'
_QUOTED = "gb2312''" + quote(DISHES.encode("gbk"))

INVITATION = "18 an invitation"
CASES = {
    "1 name in gb2312 that is GBK": Case(
        head="From: =?gb2312?B?086yzZjl?= <user@old.test>\n",
        lines=(b"From: =?gb2312?B?086yzZjl?= <wp@contoso.com>",),
        name="游餐樺",
    ),
    "1 subject in Shift_JIS with characters of Windows": Case(
        head=f"Subject: {word('Shift_JIS', FAULT, 'cp932')}\n",
        lines=(f"Subject: {word('Shift_JIS', FAULT, 'cp932')}".encode(),),
        subject=FAULT,
        nested_name=f"{FAULT}.eml",
    ),
    "1 raw subject and body in GBK": Case(
        head=b"Subject: " + DISHES.encode("gbk") + b"\n" + _GBK.encode(),
        body=DISHES.encode("gbk") + b"\n",
        lines=(f"Subject: {word('utf-8', DISHES)}".encode(),),
        subject=DISHES,
        text=DISHES,
        nested_name=f"{DISHES}.eml",
    ),
    "1 file names in GBK": case(
        "mixed",
        PLAIN,
        f'Content-Type: image/x; name="{word("gb2312", DISHES, "gbk")}"\n\n1',
        f"Content-Type: image/x\nContent-Disposition: attachment; filename*={_QUOTED}\n\n2",
        text="plain",
        files=((DISHES, b"1", "attachment"), (DISHES, b"2", "attachment")),
    ),
    "2 a file among alternatives": case(
        "alternative",
        PLAIN,
        HTML,
        'Content-Type: text/plain; name="backup.log"\nContent-Disposition: attachment\n\nlog',
        text="<p>web</p>",
        html=True,
        files=(("backup.log", b"log", "attachment"),),
        lost="the alternative in text/plain",
    ),
    "3 folds within quotes": case(
        "mixed",
        PLAIN,
        pdf(name='"Monthly report\n 2026.pdf"'),
        boundary="=_Next\n Part",
        text="plain",
        files=(("Monthly report 2026.pdf", b"PDF", "attachment"),),
    ),
    "4 a content id that no HTML names": case(
        "related",
        HTML,
        pdf(more="Content-ID: <p@x>\n"),
        text="<p>web</p>",
        html=True,
        files=(("a.pdf", b"PDF", "attachment"),),
    ),
    "4 a content id that the HTML names": case(
        "related",
        "Content-Type: text/html\n\n<img src='cid:p@x'>",
        pdf("inline", more="Content-ID: <p@x>\n"),
        text="cid:p@x",
        html=True,
        files=(("a.pdf", b"PDF", "inline"),),
    ),
    "5 a byte order mark": Case(head="Subject: marked\n", mark=b"\xef\xbb\xbf", subject="marked",
                                lines=(b"Subject: marked",), text="text", nested_name="marked.eml"),
    "6 Windows-1252 declared as ISO-8859-1": Case(
        head="Subject: =?iso-8859-1?Q?Bob=92s_Shop?=\n"
        "From: =?iso-8859-1?Q?Bob=92s?= <user@old.test>\n",
        lines=(b"From: =?iso-8859-1?Q?Bob=92s?= <wp@contoso.com>",),
        subject="Bob’s Shop",
        name="Bob’s",
        nested_name="Bob’s Shop.eml",
    ),
    "6 a raw euro sign": Case(
        head=b"Subject: 10 \x80\n",
        lines=(f"Subject: {word('utf-8', '10 €')}".encode(),),
        subject="10 €",
        nested_name="10 €.eml",
    ),
    "7 joiners in a name": Case(
        head=f"From: {TECHNOLOGIST} <user@old.test>\nSubject: {SEPARATORS}\n",
        lines=(
            f"From: {word('utf-8', TECHNOLOGIST)} <wp@contoso.com>".encode(),
            f"Subject: {word('utf-8', SEPARATORS)}".encode(),
        ),
        name=TECHNOLOGIST,
        subject=SEPARATORS,
        nested_name=f"{SEPARATORS}.eml",
    ),
    "7 wide spaces": case(
        "mixed",
        PLAIN,
        f'Content-Type: image/x; name="{TARO}"\n\n1',
        head=f"From: {TARO} <user@old.test>\nSubject: {TARO}\n",
        name=TARO,
        subject=TARO,
        lines=(f"From: {word('utf-8', TARO)} <wp@contoso.com>".encode(),),
        text="plain",
        files=((TARO, b"1", "attachment"),),
        nested_name=f"{TARO}.eml",
    ),
    "8 HTML that declares itself": Case(
        head="Content-Type: text/html\n",
        body='<meta charset="windows-1251">Привет\n'.encode("cp1251"),
        text="Привет",
        html=True,
    ),
    "9 one text with a name": Case(head='Content-Type: text/plain; name="a.txt"\n', text="text"),
    "9 one text with a file name, to be shown": Case(
        head="Content-Type: text/html\nContent-Disposition: inline; filename=a.html\n",
        text="text",
        html=True,
        lost="the name 'a.html' of a text that is in the body",
    ),
    "9 one text of another type": Case(
        head="Content-Type: text/markdown; charset=utf-8\n",
        body="# Grüße\n",
        text="# Grüße",
        lost="the type text/markdown of a text that is in the body",
    ),
    "9 alternatives with file names, to be shown": case(
        "alternative",
        "Content-Type: text/plain\nContent-Disposition: inline; filename=a.txt\n\nplain",
        "Content-Type: text/html\nContent-Disposition: inline; filename=a.html\n\n<p>web",
        'Content-Type: text/plain\nContent-Disposition: inline; filename="b.log"\n\nlog',
        text="<p>web",
        html=True,
        files=(("a.txt", b"plain", "attachment"), ("b.log", b"log", "attachment")),
    ),
    "10 an empty alternative": case(
        "alternative", PLAIN, "Content-Type: text/html\n\n<html><body></body></html>", text="plain"
    ),
    "11 a file between two texts in HTML": case(
        "alternative",
        PLAIN,
        multipart("mixed", HTML, pdf(), HTML.replace("web", "end"), boundary="c"),
        text="<p>end</p>",
        html=True,
        files=(("a.pdf", b"PDF", "attachment"),),
    ),
    "12 a digest": case(
        "digest",
        "\nSubject: first\n\none",
        text="",
        files=(("first.eml", b"Subject: first\r\n\r\none", "attachment"),),
    ),
    "13 raw octets in Reply-To": Case(
        head="Reply-To: Müller, Jürgen <s@contoso.test>\n",
        lines=(f"Reply-To: {word('utf-8', 'Müller, Jürgen')} <s@contoso.test>".encode(),),
        reply_name="Müller, Jürgen",
    ),
    "14 a path for a name": case(
        "mixed", PLAIN, pdf(name='"C:\\TEMP\\scan.pdf"'), text="plain",
        files=(("scan.pdf", b"PDF", "attachment"),),
    ),
    "14 a name without a disposition": case(
        "mixed", PLAIN, pdf('filename="scan.pdf"', name=""), text="plain",
        files=(("scan.pdf", b"PDF", "attachment"),),
    ),
    "14 parameters without a semicolon": Case(
        head="Content-Type: text/html, charset=windows-1251\n",
        body="<p>Привет\n".encode("cp1251"),
        text="Привет",
        html=True,
    ),
    "15 AMP": case(
        "alternative",
        PLAIN,
        "Content-Type: text/x-amp-html\n\n<html amp4email>",
        HTML,
        text="<p>web</p>",
        html=True,
        lost="the alternative in text/x-amp-html",
    ),
    "16 two subjects, two Reply-To": Case(
        head="Subject: one\nSubject: two\nReply-To: A <a@b.test>\nReply-To: C <c@d.test>\n",
        lines=(b"Subject: one", b"X-Graphrelay-Subject: two", b"Reply-To: A <a@b.test>",
               b"X-Graphrelay-Reply-To: C <c@d.test>"),
        subject="one",
        reply_name="A",
        nested_name="one.eml",
    ),
    "16 an empty subject, then another": Case(
        head="Subject:\nSubject: two\n", lines=(b"Subject: two",), subject="two",
        nested_name="two.eml",
    ),
    INVITATION: case(
        "alternative",
        PLAIN,
        "Content-Type: text/calendar; method=REQUEST\n\nBEGIN:VCALENDAR",
        text="plain",
        files=(("attachment-1.ics", b"BEGIN:VCALENDAR", "attachment"),),
        lost="the invitation is an attachment, not a meeting request",
    ),
    "17 controls": Case(
        head="Content-Type: text/plain\n", body="\x1b[31mred\x1b[0m\0\n", text="\ufffd[31mred",
        lost="3 control characters of the text",
    ),
}  # fmt: skip
