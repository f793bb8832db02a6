"""HTML that anybody may have written, in a frame."""

import pytest

from graphrelay.mail_html import MAIL_POLICY, MOST_OCTETS, content_ids, download, framed

LOGO = "image/png", b"\x89PNG"


def nothing(_: str) -> None:
    return None


@pytest.mark.parametrize("name", ["iframe", "OBJECT", "embed", "base", "link", "meta", "frame"])
def test_elements_that_no_reader_shows_are_renamed(name: str) -> None:
    shown = framed(f"<p>a<{name} src=x></{name}>", nothing)
    assert f"<p>a<x-{name} src=x></x-{name}>" in shown


def test_nothing_runs_loads_or_sends_in_the_frame() -> None:
    for rule in ("default-src 'none'", "form-action 'none'", "base-uri 'none'"):
        assert rule in MAIL_POLICY
    assert MAIL_POLICY.endswith("; sandbox"), "it allows nothing"


def test_images_of_the_message_are_put_in_its_text() -> None:
    html = '<img src="cid:logo+1@x"><img src=CID:logo%2B1@x><img src="cid:other">'
    shown = framed(html, {"logo+1@x": LOGO}.get)
    assert shown.count("data:image/png;base64,iVBORw==") == 2
    assert '<img src="cid:other">' in shown
    assert content_ids(html) == {"logo+1@x", "other"}


def test_an_image_that_is_shown_a_thousand_times_does_not_fill_the_memory() -> None:
    image = "image/png", bytes(MOST_OCTETS // 20)
    shown = framed('<img src="cid:a">' * 1_000, {"a": image}.get)
    assert (shown.count("data:"), shown.count("cid:a")) == (20, 980)


@pytest.mark.parametrize("kind", ["text/html", 'image/png"><script>', "image/", "IMAGE"])
def test_nothing_else_than_an_image_is(kind: str) -> None:
    assert "data:" not in framed('<img src="cid:a">', {"a": (kind, b"x")}.get)


@pytest.mark.parametrize(
    "name", ['a"; x="b\r\nSet-Cookie: a=b', "../../etc/passwd", "Ré\ud800.pdf"]
)
def test_a_name_stays_inside_its_header_field(name: str) -> None:
    shown = download(name, "text/html\r\nX: y")
    assert shown["Content-Type"] == "application/octet-stream"
    disposition = shown["Content-Disposition"]
    assert disposition.isascii()
    assert disposition.isprintable()
    assert disposition.startswith('attachment; filename="')
    assert disposition.count('"') == 2
