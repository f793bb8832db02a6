"""Text that strangers wrote, fit to stand where it is shown or sent.

Removed is only what can deceive or break: controls, line and paragraph separators, and the marks
that turn the direction of writing (Unicode TR 9, explicit formatting). Joiners, wide spaces,
emoji and every letter stay.
"""

import re

_UNFIT_FOR_A_LINE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffe\uffff\ud800-\udfff]"
)
_UNFIT_FOR_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
"""What XML 1.0 (section 2.2) cannot hold, and so no item of Exchange."""


def on_one_line(text: str, instead: str = " ") -> str:
    """`text` with every character that is unfit for one line replaced by `instead`."""
    return _UNFIT_FOR_A_LINE.sub(instead, text)


def storable(text: str) -> tuple[str, int]:
    """`text` with U+FFFD for each character that XML cannot hold, and how many those were."""
    return _UNFIT_FOR_XML.subn("\ufffd", text)
