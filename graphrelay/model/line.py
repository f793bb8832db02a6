"""Makes untrusted text fit for a line of output.

Only characters that can break a line or deceive are replaced: controls, line and paragraph
separators, marks that change the direction of writing (Unicode TR 9, explicit formatting), and
invalid ones such as half of a surrogate pair. Joiners, wide spaces, emoji and all letters are kept:
scripts need them.
"""

import re

_UNFIT = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]"
)


def without_controls(text: str, instead: str = " ") -> str:
    """`text` with `instead` for every character that is unfit for a line."""
    return _UNFIT.sub(instead, text)


def one_line(text: object, longest: int | None = None) -> str:
    """One line of at most `longest` characters, without unfit characters and runs of spaces. `…`
    marks truncation."""
    shown = " ".join(filter(None, without_controls(str(text)).split(" ")))
    return shown if longest is None or len(shown) <= longest else f"{shown[: longest - 1]}…"
