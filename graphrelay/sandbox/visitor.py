"""A user who signs in: goes through the sandbox's pages as a browser would, form by form.

For demonstrations and tests without a browser. It keeps cookies, fills in the fields that the pages
show, and stops at the redirect to the application.

    async with Visitor(cloud.ca_file) as visitor:
        await visitor.sign_in(authorize_url, "wp@contoso.com", follow=True)
"""

import ssl
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from types import TracebackType
from urllib.parse import urlencode, urljoin

import aiohttp


@dataclass(slots=True)
class Page:
    """What a page shows, as far as a visitor needs it."""

    url: str
    status: int
    text: str
    action: str = ""
    """Where its form goes; empty without a form."""
    fields: dict[str, str] = field(default_factory=dict)
    """The form's inputs with their values."""
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Button id -> its name and value."""
    scopes: set[str] = field(default_factory=set)
    """The permissions that a consent page lists."""
    problem: str = ""
    """The text of `#error`."""
    ids: set[str] = field(default_factory=set)


class Lost(Exception):  # noqa: N818 (where the visitor is, not a programming error)
    """The pages did not lead where the visitor meant to go; carries the last page."""

    def __init__(self, page: Page) -> None:
        super().__init__(page.problem or page.text)
        self.page = page


class Visitor:
    """A browser without a screen. Use it with `async with`."""

    def __init__(self, ca_file: Path) -> None:
        tls = ssl.create_default_context(cafile=str(ca_file))
        jar = aiohttp.CookieJar(unsafe=True)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls), cookie_jar=jar
        )

    async def __aenter__(self) -> "Visitor":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def sign_in(
        self,
        url: str,
        email: str,
        password: str = "pass",  # noqa: S107 (everybody's in the sandbox)
        *,
        accept: bool = True,
        follow: bool = False,
    ) -> str:
        """From the authorize URL to the application: its redirect's address, with the code.

        `follow` also calls that address, as a browser does. Raises `Lost` where the pages end in
        an error, `accept=False` cancels at the consent page.
        """
        place = await self.open(url)
        place = await self._walk(place, email, password, accept=accept)
        if isinstance(place, Page) and "form" in place.ids:
            return await self._post_back(place, follow=follow)
        if isinstance(place, Page):
            raise Lost(place)
        if follow:
            async with self._session.get(place) as answer:
                await answer.read()
        return place

    async def _post_back(self, page: Page, *, follow: bool) -> str:
        """`response_mode=form_post`: the address with the fields as if they were its query."""
        if follow:
            async with self._session.post(page.action, data=page.fields) as answer:
                await answer.read()
        return f"{page.action}?{urlencode(page.fields)}"

    async def enter_device_code(
        self,
        url: str,
        user_code: str,
        email: str,
        password: str = "pass",  # noqa: S107 (everybody's in the sandbox)
        *,
        accept: bool = True,
    ) -> Page:
        """Enter the code that a device shows, sign in, decide. Raises `Lost`."""
        place = await self.open(url)
        if isinstance(place, Page):
            place = await self.press(place, "next", code=user_code)
            place = await self._walk(place, email, password, accept=accept)
        if not isinstance(place, Page):
            raise TypeError(f"a device's sign-in led to {place}")
        if "done" not in place.ids:
            raise Lost(place)
        return place

    async def open(self, url: str) -> Page | str:
        """The page at `url`, or the address of the application that it redirects to."""
        async with self._session.get(url, allow_redirects=False) as answer:
            return await self._arrive(answer)

    async def press(self, page: Page, button: str, **typed: str) -> Page | str:
        """Fill in `typed` and press the button with this id."""
        name, value = page.buttons[button]
        form = {**page.fields, **typed, **({name: value} if name else {})}
        target = urljoin(page.url, page.action)
        async with self._session.post(target, data=form, allow_redirects=False) as answer:
            return await self._arrive(answer)

    async def _walk(
        self, place: Page | str, email: str, password: str, *, accept: bool
    ) -> Page | str:
        """Through sign-in and consent, each at most once."""
        if isinstance(place, Page) and "password" in place.ids:
            place = await self.press(place, "sign-in", email=email, password=password)
        if isinstance(place, Page) and place.buttons.keys() & {"accept", "cancel"}:
            if "password" in place.ids:
                return place
            wanted = "accept" if accept and "accept" in place.buttons else "cancel"
            place = await self.press(place, wanted)
        return place

    async def _arrive(self, answer: aiohttp.ClientResponse) -> Page | str:
        location = answer.headers.get("Location")
        if location is not None:
            return urljoin(str(answer.url), location)
        reader = _Reader(Page(str(answer.url), answer.status, await answer.text()))
        reader.feed(reader.page.text)
        return reader.page


class _Reader(HTMLParser):
    def __init__(self, page: Page) -> None:
        super().__init__()
        self.page = page
        self._in_error = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if identity := given.get("id"):
            self.page.ids.add(identity)
        if tag == "form":
            self.page.action = given.get("action", "")
        elif tag == "input" and "name" in given:
            self.page.fields[given["name"]] = given.get("value", "")
        elif tag == "button":
            pressed = (given.get("name", ""), given.get("value", ""))
            self.page.buttons[given.get("id", "")] = pressed
        if "data-scope" in given:
            self.page.scopes.add(given["data-scope"])
        self._in_error = self._in_error or given.get("id") == "error"

    def handle_endtag(self, tag: str) -> None:
        self._in_error = self._in_error and tag != "p"

    def handle_data(self, data: str) -> None:
        if self._in_error:
            self.page.problem += data
