"""Text that strangers wrote, fit for an item of Exchange."""

import re

_UNFIT_FOR_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
"""What XML 1.0 (section 2.2) cannot hold, and so no item of Exchange."""


def storable(text: str) -> tuple[str, int]:
    """`text` with U+FFFD for each character that XML cannot hold, and how many those were."""
    return _UNFIT_FOR_XML.subn("\ufffd", text)
