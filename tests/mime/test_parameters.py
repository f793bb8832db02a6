"""Content-Type and Content-Disposition in every form."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphrelay.mime import parameters


@pytest.mark.parametrize(
    ("octets", "value", "found"),
    [
        (b" TEXT/Plain", "text/plain", {}),
        (b" text/plain; charset=UTF-8", "text/plain", {"charset": "UTF-8"}),
        (b' a/b;\r\n\tBoundary="x; y\\"z"', "a/b", {"boundary": 'x; y"z'}),
        (b"attachment; filename=My Report.pdf ; size=3", "attachment",
         {"filename": "My Report.pdf", "size": "3"}),
        (b'a/b; name="=?utf-8?q?Gr=C3=BC=C3=9Fe.pdf?="', "a/b", {"name": "Grüße.pdf"}),
        (b"a/b; name==?utf-8?b?R3LDvMOfZQ==?=", "a/b", {"name": "Grüße"}),
        (b"x; filename*=UTF-8''Gr%C3%BC%C3%9Fe.pdf", "x", {"filename": "Grüße.pdf"}),
        (b"x; filename*=iso-8859-1'de'Gr%FC%DFe.pdf", "x", {"filename": "Grüße.pdf"}),
        (b'x; filename="fallback"; filename*=utf-8\'\'%E2%82%AC', "x", {"filename": "€"}),
        (b"x; filename*0*=utf-8''Gr%C3%BC; filename*1=\xc3\x9f; filename*2*=e%2Epdf", "x",
         {"filename": "Grüße.pdf"}),
        (b'x; filename*1="b.pdf"; filename*0="a "', "x", {"filename": "a b.pdf"}),
        ('x; filename="Grüße.pdf"'.encode(), "x", {"filename": "Grüße.pdf"}),
        ('x; filename="Grüße.pdf"'.encode("cp1252"), "x", {"filename": "Grüße.pdf"}),
        (b'a/b; name="folded\r\n name"', "a/b", {"name": "folded name"}),
        (b'a/b; name="Monthly report\r\n 2026.pdf"', "a/b", {"name": "Monthly report 2026.pdf"}),
        (b'a/b; name="C:\\TEMP\\scan.pdf"', "a/b", {"name": "C:\\TEMP\\scan.pdf"}),
        (b'a/b; name="a \\"quoted\\" \\\\ name"', "a/b", {"name": 'a "quoted" \\ name'}),
        (b'a/b; name="never closed', "a/b", {"name": "never closed"}),
        (b"a/b;;; ; name=x;", "a/b", {"name": "x"}),
        (b"a/b; name", "a/b", {}),
        (b"attachment; filename=a.pdf (see there)", "attachment", {"filename": "a.pdf"}),
        (b"attachment; filename=My report (1).pdf", "attachment",
         {"filename": "My report (1).pdf"}),
        (b' filename="a.pdf"; size=3', "", {"filename": "a.pdf", "size": "3"}),
        (b"text/html, charset=utf-8", "text/html", {"charset": "utf-8"}),
        (b"text/html charset=utf-8; x=y", "text/html", {"charset": "utf-8", "x": "y"}),
        (b"", "", {}),
    ],
)  # fmt: skip
def test_names_and_values_are_read(octets: bytes, value: str, found: dict[str, str]) -> None:
    read = parameters.read(octets)
    assert (read.value, read.parameters) == (value, found)


@given(
    st.binary(max_size=60)
    | st.lists(
        st.sampled_from(
            [b"a/b", b";", b"n", b"=", b'"', b"*", b"0", b"'", b"%", b"%41", b"\\", b" "]
        )
    ).map(b"".join)
)
def test_reading_never_fails(octets: bytes) -> None:
    parameters.read(octets)


def test_what_is_longer_than_any_field_is_not_read() -> None:
    octets = b"a/b" + b"; x=1" * (parameters.LONGEST // 5) + b"; late=1"
    assert parameters.read(octets).parameters == {"x": "1"}


@pytest.mark.parametrize("pattern", [b";", b"; a=", b'; a="\\', b";a*1=b", b"%", b"; a=' "])
def test_reading_takes_linear_time(pattern: bytes) -> None:
    def cost(size: int) -> float:
        started = time.thread_time()
        parameters.read(b"a/b" + pattern * (size // len(pattern)))
        return time.thread_time() - started

    assert min(cost(160_000) for _ in range(3)) < 30 * min(cost(20_000) for _ in range(3)) + 0.02
