"""Octets beyond ASCII without a declared charset, as old programs send them.

RFC 5322 requires ASCII in the header section, and MIME a charset for the body. What Exchange
assumes if neither is given is not documented. So raw octets in the subject and in display names
become encoded words, and a body without any MIME field gets fields that declare its charset. The
octets of the body are not changed.
"""

import codecs

from graphrelay.mime import encoded_word
from graphrelay.mime.header import Edits, HeaderSection
from graphrelay.model import without_controls

_LONGEST_SUBJECT = 4096
"""Characters; a longer subject is truncated if it must be rewritten."""


def charset(section: HeaderSection, octets: bytes = b"\xff") -> str:
    """The charset that Content-Type names, if `octets` need one; else an empty string."""
    return "" if octets.isascii() else section.charset


def subject_edits(section: HeaderSection, prefix: str = "") -> Edits:
    """The subject in ASCII, with `prefix` before it unless the subject contains it."""
    found = section.telling("subject") or section.first("subject")
    if found is None:
        return Edits(added=_subject(prefix)) if prefix else Edits()
    value = section.value(found)
    if value.isascii() and not prefix:
        return Edits()
    text = encoded_word.decode(section.unfolded(found), charset(section, value))
    missing = prefix if prefix not in text else ""
    if value.isascii() and not missing:
        return Edits()
    if value.isascii() and missing.isascii():
        return Edits(
            {found: b"Subject: " + missing.encode("ascii") + b" " + value.lstrip() + b"\r\n"}
        )
    words = (f"{missing} " if missing else "") + without_controls(text).strip(" ")
    return Edits({found: _subject(words[:_LONGEST_SUBJECT])})


def _subject(text: str) -> bytes:
    octets = text.encode("ascii") if text.isascii() else encoded_word.encode(text)
    return b"Subject: " + octets + b"\r\n"


def missing_fields(section: HeaderSection, body: bytes) -> bytes:
    """MIME fields for a body (or its beginning) that has octets beyond ASCII and no MIME field;
    else nothing."""
    if body.isascii() or section.first("mime-version") or section.first("content-type"):
        return b""
    if section.first("content-transfer-encoding"):
        return b""
    return (
        b"MIME-Version: 1.0\r\n"
        b"Content-Type: text/plain; charset=" + _guess(body) + b"\r\n"
        b"Content-Transfer-Encoding: 8bit\r\n"
    )


def _guess(body: bytes) -> bytes:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(body)
    except UnicodeDecodeError:
        return b"windows-1252"
    return b"utf-8"
