import pytest

from graphrelay.sandbox.mime import Attachment, Content
from graphrelay.sandbox.page.shown import _REMOTE, framed_html

LOGO = Attachment("logo.png", "image/png", b"\x89PNG", "logo+1@x", inline=True)
PAGE = Attachment("x.html", "text/html", b"<script>", "page@x", inline=True)


def test_images_of_the_message_are_put_in_its_text() -> None:
    content = Content("", '<img src="cid:logo+1@x"><img src=CID:logo%2B1@x>', (LOGO,))
    assert framed_html(content).count("data:image/png;base64,iVBORw==") == 2
    assert "cid:" not in framed_html(content).lower()


def test_only_images_are() -> None:
    content = Content("", '<iframe src="cid:page@x"></iframe><img src="cid:other">', (LOGO, PAGE))
    assert "data:" not in framed_html(content)


@pytest.mark.parametrize("name", ["iframe", "IFRAME", "frame", "object", "embed", "base", "meta"])
def test_elements_that_no_reader_shows_are_renamed(name: str) -> None:
    shown = framed_html(Content("", f"<{name} src=x></{name}><{name}>", ()))
    assert f"<x-{name} src=x></x-{name}><x-{name}>" in shown


def test_other_elements_stay_as_they_are() -> None:
    html = "<p>framework <b>&lt;iframe</b> <basement></p>"
    assert html in framed_html(Content("", html, ()))


@pytest.mark.parametrize(
    ("html", "remote"),
    [
        ('<img src="https://x.example/1.gif">', True),
        ("<img src=//x.example/1.gif>", True),
        ('<td background="http://x.example/b.png">', True),
        ("<p style=\"background:url( 'https://x.example/b.png')\">", True),
        ('<a href="https://x.example">', False),
        ('<img src="cid:logo"><img src="data:image/png;base64,x">', False),
    ],
)
def test_what_would_be_loaded_from_elsewhere_is_noticed(html: str, remote: bool) -> None:
    assert bool(_REMOTE.search(html)) is remote
