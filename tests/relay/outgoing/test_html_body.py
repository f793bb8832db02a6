"""HTML as a mail body: charset, emptiness, content ids, several parts in one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.relay.outgoing import html_body


@pytest.mark.parametrize(
    ("octets", "charset"),
    [
        (b'<meta charset="koi8-r">', "koi8-r"),
        (b"<META http-equiv='Content-Type' content='text/html; charset=GB2312'>", "gb2312"),
        (b"<html><head>\n<meta\n charset = windows-1251 />", "windows-1251"),
        (b"<!-- <meta charset=a> --><meta charset=b>", "b"),
        (b"<meta name=x><meta charset=utf-16>", "utf-8"),
        (b"\xef\xbb\xbf<meta charset=koi8-r>", "utf-8"),
        (b"\xff\xfe<\0", "utf-16le"),
        (b"<p>charset=koi8-r</p>", ""),
        (b"<meta charset=>", ""),
        (b"", ""),
    ],
)
def test_a_document_names_its_charset(octets: bytes, charset: str) -> None:
    assert html_body.declared_charset(octets) == charset


@pytest.mark.parametrize(
    "empty",
    [
        "",
        "<html><head><title>x</title><style>p {}</style></head><body> &nbsp;<br></body></html>",
        "<!-- a comment that nobody closes <p>x</p>",
        "<script>document.write(1)</script>\u200b",
    ],
)
def test_a_page_without_anything_to_see_says_nothing(empty: str) -> None:
    assert html_body.says_nothing(empty)


@pytest.mark.parametrize("telling", ["x", "<p>.</p>", "<img src=a>", "<hr>", "&lt;", "1 < 2"])
def test_a_page_with_something_to_see_says_something(telling: str) -> None:
    assert not html_body.says_nothing(telling)


def test_content_ids_are_read_as_urls_in_html_are_written() -> None:
    text = "<img src='cid:a@x'><td background=cid:b&amp;c><p style=\"x:url(CID:d%20e)\">cid: f"
    assert html_body.content_ids(text) == {"a@x", "b&c", "d e"}


def test_pieces_stand_before_and_behind_what_the_document_says() -> None:
    pieces = ["<pre>1</pre>", "<html><body class=a>2</body></html>", "<body>3</body>", "4"]
    assert html_body.joined(pieces, 1) == "<html><body class=a><pre>1</pre>234</body></html>"
    assert html_body.joined(["<p>1", "<p>2"], 0) == "<p>1<p>2"


def test_plain_text_keeps_its_lines_and_its_signs() -> None:
    assert html_body.of_plain("a <b>\n&") == (
        '<pre style="white-space:pre-wrap">a &lt;b&gt;\n&amp;</pre>'
    )


@given(st.text(alphabet="<>/!-bodyhtml &;c:id'\" \n"), st.integers(0, 2))
def test_any_text_is_read_and_nothing_of_a_single_piece_changes(text: str, at: int) -> None:
    html_body.says_nothing(text)
    html_body.content_ids(text)
    html_body.declared_charset(text.encode())
    assert html_body.joined([text], 0) == text
