"""The pages as one application."""

from graphrelay.console.app import PAGES
from tests.console.conftest import Opened


async def test_every_page_is_behind_the_guard(opened: Opened) -> None:
    assert PAGES
    answer = await (await opened.browser()).get("/nowhere")
    assert (answer.status, answer.headers["Location"]) == (303, "/sign-in?next=/nowhere")
