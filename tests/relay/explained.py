"""Why the relay and postal-mime read some messages differently: every known kind of difference,
each with a condition on the octets of the message, and not only on the difference.

A difference of no known kind is a bug in one of the two that has not been investigated yet.
"""

import re
from collections.abc import Callable

from graphrelay.mime import header
from tests.relay.taken_apart import Difference, Seen, words

Holds = Callable[[bytes, Seen, Seen, Difference], bool]

_TYPE = re.compile(rb"(?im)^content-type:([^\n]*(?:\n[ \t][^\n]*)*)")
_BOUNDARY = re.compile(rb"boundary\s*=\s*(?:\"([^\"]*)\"|([^\s;\"]+))", re.IGNORECASE)
_TEXT_NAMED = rb"(?i)content-type:\s*text/[^\n]*(?:\n[^\n]+)*?name\S*=[^\n]*"


def why(octets: bytes, ours: Seen, theirs: Seen, found: Difference) -> str:
    """The kind of a difference, as docs/fidelity.md lists it; empty if it is not known."""
    octets = octets.replace(b"\r\n", b"\n")
    return next((kind for kind, holds in KINDS.items() if holds(octets, ours, theirs, found)), "")


def _head(octets: bytes) -> bytes:
    return octets.partition(b"\n\n")[0] + b"\n"


def _is_no_mail(octets: bytes, ours: Seen, theirs: Seen, found: Difference) -> bool:
    """No known mail field before the first line that is not a field: all of it is the text."""
    section = header.read(octets)
    return section is not None and not section.octets and _shows(octets, ours)


def _shows(octets: bytes, ours: Seen) -> bool:
    """Whether every run of letters is in the text, however the other octets were read."""
    shown = words(ours)
    return all(one.decode() in shown for one in re.findall(rb"[A-Za-z]{6,}", octets[:20_000]))


def _is_broken(octets: bytes, ours: Seen, theirs: Seen, found: Difference) -> bool:
    """A line of the header section is neither a field nor a continuation line."""
    lines = _head(octets).split(b"\n")[:-1]
    return any(not re.match(rb"[!-9;-~]+[ \t]*:|[ \t]+\S|From ", one) for one in lines)


def _is_from_an_mbox(octets: bytes, ours: Seen, theirs: Seen, found: Difference) -> bool:
    return octets.startswith(b"From ") and found.what in ("name", "subject")


def _has_no_boundary(octets: bytes, ours: Seen, theirs: Seen, found: Difference) -> bool:
    """A multipart in which its boundary does not occur, or that names none."""
    kind = _TYPE.search(_head(octets))
    if kind is None or b"multipart/" not in kind[1].lower() or theirs.text:
        return False
    named = _BOUNDARY.search(kind[1])
    return named is None or b"\n--" + (named[1] or named[2]) not in octets


def _has_text_files(octets: bytes, ours: Seen, theirs: Seen, found: Difference) -> bool:
    """Texts with names that are files for the relay, and text of the body for postal-mime."""
    more = {one.name for one in ours.files} - {one.name for one in theirs.files}
    named = all(
        re.search(_TEXT_NAMED + re.escape(one.split(".")[-1].encode()), octets) for one in more
    )
    return bool(more) and named and found.what in ("files", "text") and len(words(theirs)) > 0


def _has_a_root(octets: bytes, ours: Seen, theirs: Seen, found: Difference) -> bool:
    """A multipart/related that says which part is its root (RFC 2387)."""
    kind = _TYPE.search(_head(octets))
    return kind is not None and re.search(rb"(?i)related.*\bstart=", kind[1], re.S) is not None


def _decodes_a_file(octets: bytes, ours: Seen, theirs: Seen, found: Difference) -> bool:
    """Files of a text type, by the same names: theirs are decoded and written again in UTF-8."""
    names = sorted(one.name for one in ours.files)
    texts = re.findall(_TEXT_NAMED, octets)
    return found.what == "files" and bool(texts) and names == sorted(f.name for f in theirs.files)


def _has_other_octets(octets: bytes, ours: Seen, theirs: Seen, found: Difference) -> bool:
    """The same but for what is beyond ASCII, in a message that has such octets, raw or encoded."""
    beyond = not octets.isascii() or re.search(rb"=[89A-Fa-f][0-9A-Fa-f]|base64", octets)
    same = re.sub(r"[^\x20-\x7e]|\s", "", found.ours) == re.sub(
        r"[^\x20-\x7e]|\s", "", found.theirs
    )
    return bool(beyond) and same


def _has_a_long_from(octets: bytes, ours: Seen, theirs: Seen, found: Difference) -> bool:
    return found.what == "name" and "@" in theirs.name and theirs.name.startswith(ours.name)


def _differs_in_space(octets: bytes, ours: Seen, theirs: Seen, found: Difference) -> bool:
    return found.what == "name" and ours.name.replace(" ", "") == theirs.name.replace(" ", "")


def _has_no_type(octets: bytes, ours: Seen, theirs: Seen, found: Difference) -> bool:
    """An invalid Content-Type: text for the relay, a file for postal-mime."""
    return any(b"/" not in one.partition(b";")[0] for one in _TYPE.findall(octets))


KINDS: dict[str, Holds] = {
    "no mail: all of it is the text": _is_no_mail,
    "a broken header section": _is_broken,
    "an mbox line before the fields": _is_from_an_mbox,
    "a multipart without its boundary": _has_no_boundary,
    "texts with file names": _has_text_files,
    "a multipart/related with a root": _has_a_root,
    "a file of a text type": _decodes_a_file,
    "octets that are not in the declared charset": _has_other_octets,
    "more than an address in From": _has_a_long_from,
    "white space beside a quoted string": _differs_in_space,
    "a Content-Type without a type": _has_no_type,
}
