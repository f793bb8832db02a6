"""A person with a real Chromium, who signs in on the sandbox's pages."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.sandbox.page.browser import Tab, browser
from tests.tools import needs


class Person:
    """Everything waits for the page, never for time."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab

    async def opens(self, url: str) -> None:
        await self.tab.open(url)

    async def signs_in(self, email: str) -> None:
        """The password of every user is `pass`."""
        await self.sees("#email")
        await self._types("#email", email)
        await self._types("#password", "pass")
        await self.presses("#sign-in")

    async def presses(self, selector: str) -> None:
        """Once it is there. The page may be left by it, so nothing is waited for."""
        await self.sees(selector)
        clicking = f"void setTimeout(() => document.querySelector({selector!r}).click())"
        await self.tab.evaluate(clicking)

    async def sees(self, selector: str) -> None:
        await self._until(f"document.querySelector({selector!r})?.isConnected")

    async def reads(self, title: str) -> str:
        """The text of the page that ends a sign-in, once it has this title."""
        shown = f"document.querySelector('h1')?.innerText === {title!r}"
        await self._until(shown)
        return str(await self.tab.evaluate("document.querySelector('p').innerText"))

    async def _types(self, selector: str, text: str) -> None:
        field = f"document.querySelector({selector!r})"
        await self.tab.evaluate(f"{field}.value = ''; {field}.focus()")
        await self.tab.call("Input.insertText", text=text)

    async def _until(self, condition: str) -> None:
        """Leaving a page ends its promises; then the next page is asked."""
        async with asyncio.timeout(60):
            while True:
                try:
                    await self.tab.until(condition)
                except AssertionError:
                    continue
                return


@asynccontextmanager
async def person(folder: Path) -> AsyncIterator[Person]:
    """With a browser of their own. The sandbox's authority is not in any browser's store."""
    needs("chromium")
    async with browser(folder / "profile") as tab:
        await tab.call("Security.setIgnoreCertificateErrors", ignore=True)
        yield Person(tab)
        assert tab.problems == []
