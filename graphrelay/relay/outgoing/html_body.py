"""HTML in mail bodies: its charset, whether it is empty, which images it refers to, and several
parts joined into one document.

Nothing is parsed into a tree: each function uses regular expressions that take linear time on any
input.
"""

import codecs
import html
import re
from urllib.parse import unquote

_PRESCANNED = 4096
"""How many octets are searched for a declaration; the standard requires 1,024."""
_META_CHARSET = re.compile(
    rb"<meta[\s/][^<>]{0,1000}?\bcharset\s{0,10}=\s{0,10}[\"']?\s{0,10}([!-!#-&(-.0-:<=?-~]{1,40})",
    re.IGNORECASE,
)
_COMMENT = re.compile(rb"<!--(?:.*?-->|.*\Z)", re.DOTALL)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16le"),
    (codecs.BOM_UTF16_BE, "utf-16be"),
)

_UNSHOWN = re.compile(
    r"<!--(?:.*?-->|.*\Z)|<(style|script|title)\b[^<>]*>(?:.*?</\1\s*>|.*\Z)",
    re.DOTALL | re.IGNORECASE,
)
_SHOWN = re.compile(r"<(?:img|svg|object|embed|iframe|video|audio|input|hr)\b", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_BLANK = re.compile(r"[\s\u00a0\u200b-\u200d\u2060\ufeff]*")
_CID = re.compile(r"\bcid:([^\"'\s<>()\\]{1,400})", re.IGNORECASE)
_BODY = re.compile(r"<body\b[^<>]*>", re.IGNORECASE)
_END = re.compile(r"</(?:body|html)\s*>", re.IGNORECASE)


def declared_charset(octets: bytes) -> str:
    """The charset that a document declares itself, found as browsers do (HTML standard, "prescan a
    byte stream"): a byte order mark, else `<meta charset>`. Empty if there is none."""
    for mark, charset in _BOMS:
        if octets.startswith(mark):
            return charset
    found = _META_CHARSET.search(_COMMENT.sub(b"", octets[:_PRESCANNED]))
    if found is None:
        return ""
    label = found[1].decode("ascii").lower()
    return "utf-8" if label.startswith("utf-16") else label


def says_nothing(text: str) -> bool:
    """Whether a reader would see an empty page."""
    text = _UNSHOWN.sub("", text)
    return not _SHOWN.search(text) and bool(_BLANK.fullmatch(html.unescape(_TAG.sub("", text))))


def content_ids(text: str) -> frozenset[str]:
    """The content ids in the document's `cid:` URLs (RFC 2392)."""
    return frozenset(unquote(html.unescape(name)) for name in _CID.findall(text))


def of_plain(text: str) -> str:
    """Plain text as HTML that shows the same lines."""
    return f'<pre style="white-space:pre-wrap">{html.escape(text, quote=False)}</pre>'


def joined(pieces: list[str], document: int) -> str:
    """All `pieces` in order as one document: `pieces[document]` is one, and the others are inserted
    into its body before and after its content."""
    whole = pieces[document]
    before = "".join(map(_inside, pieces[:document]))
    behind = "".join(map(_inside, pieces[document + 1 :]))
    opened = _BODY.search(whole)
    start = opened.end() if opened else 0
    ended = _END.search(whole, start)
    end = ended.start() if ended else len(whole)
    return whole[:start] + before + whole[start:end] + behind + whole[end:]


def _inside(piece: str) -> str:
    """The content of a document's body."""
    opened = _BODY.search(piece)
    start = opened.end() if opened else 0
    ended = _END.search(piece, start)
    return piece[start : ended.start() if ended else len(piece)]
