"""The console's own files: for everybody, and no others."""

import pytest

from tests.console.conftest import Opened


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("console.css", "text/css"),
        ("console.js", "text/javascript"),
        ("icon.svg", "image/svg+xml"),
    ],
)
async def test_a_file_has_its_type(opened: Opened, name: str, content_type: str) -> None:
    answer = await (await opened.browser()).get(f"/static/{name}")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == f"{content_type}; charset=utf-8"


async def test_nothing_is_loaded_from_elsewhere(opened: Opened) -> None:
    browser = await opened.browser()
    for name in ("console.css", "console.js"):
        text = (await browser.get(f"/static/{name}")).text
        assert "//" not in text.replace("// ", "")
        assert "@import" not in text
