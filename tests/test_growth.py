"""The work of every reader grows with the text, and what grows faster is found.

For an hour a reader: GRAPHRELAY_FUZZ_SECONDS=3600 pytest tests/test_growth.py
"""

import os
import re

import pytest

from tests.growth import search
from tests.readers import READERS, Reader

SECONDS = float(
    os.environ.get("GRAPHRELAY_FUZZ_SECONDS") or (2 if os.environ.get("CI") == "true" else 0)
)
"""For a reader: a minute for all of them in continuous integration."""


@pytest.mark.timeout(SECONDS + 120)
@pytest.mark.parametrize("reader", READERS, ids=str)
def test_work_grows_with_the_text(reader: Reader) -> None:
    assert search(reader, SECONDS, least=8) is None


_LONE_BACKSLASH = re.compile(rb'"((?:[^"\\]|\\.)*+)(?:"|\Z)', re.DOTALL)
_SPACES = re.compile(rb"<\s*(?:[a-z]+)?\s*>")


def _joined(octets: bytes) -> bytes:
    whole = b""
    for piece in octets.split(b"*"):
        whole = piece + whole
    return whole


def _looked_for_again(octets: bytes) -> int:
    return sum(octets.count(b"\xff") for _ in re.finditer(rb"\xe4", octets))


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "reader",
    [
        Reader("a quoted string", lambda octets: _LONE_BACKSLASH.sub(b"", octets), (b'"', b'"\\')),
        Reader("a path", lambda octets: _SPACES.match(b"<" + octets), (b"<", b" ")),
        Reader("a label", lambda octets: octets.decode("punycode", "ignore"), (b"b",)),
        Reader("a search for each field", _looked_for_again, (b"\xe4", b"a")),
        Reader("pieces that are joined anew", _joined, (b"*", b"ab*")),
    ],
    ids=str,
)
def test_work_that_grows_faster_is_found(reader: Reader) -> None:
    assert search(reader, 0, least=40) is not None
