"""Makes untrusted text fit for an item in Exchange."""

import re

_UNFIT_FOR_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
"""Characters that XML 1.0 (section 2.2), and so an item in Exchange, cannot hold."""


def storable(text: str) -> tuple[str, int]:
    """`text` with U+FFFD for each character that XML cannot hold, and how many there were."""
    return _UNFIT_FOR_XML.subn("\ufffd", text)
