"""The examples in docs/applications, for the tests to use unchanged."""

import re

from tests.tools import ROOT

FOLDER = ROOT / "docs" / "applications"


def blocks(page: str, language: str = "") -> list[str]:
    """The fenced blocks of a page, in their order."""
    text = (FOLDER / f"{page}.md").read_text("utf-8")
    return re.findall(rf"^ *```{language}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)


def changed(text: str, **instead: str) -> str:
    """`text` with other values; each must be there."""
    for old, new in instead.items():
        assert old in text, f"{old} is not in the page any more"
        text = text.replace(old, new)
    return text
