"""Templates into answers. Everything is escaped; nothing that is shown here is ever markup."""

from collections.abc import Mapping
from typing import Any

import jinja2
from aiohttp import web

from graphrelay.console import words
from graphrelay.console.desk import Desk, SignedInVisit
from graphrelay.console.texts import QUESTIONS

NAVIGATION = (
    ("/", "Overview"),
    ("/accounts", "Accounts"),
    ("/queue", "Queue"),
    ("/log", "Log"),
    ("/settings", "Settings"),
)


class Renderer:
    """The one environment of templates."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._environment = jinja2.Environment(
            loader=jinja2.PackageLoader("graphrelay.console", "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters.update(words.FILTERS)

    def page(
        self, name: str, visit: SignedInVisit | None, status: int = 200, **values: Any
    ) -> web.Response:
        """The page of the template `name`, for the signed-in user, if any."""
        text = self.text(name, visit, values)
        return web.Response(status=status, text=text, content_type="text/html")

    def text(self, name: str, visit: SignedInVisit | None, values: Mapping[str, Any]) -> str:
        """`now` among the values: of when they are, if that was earlier."""
        now = values.get("now", self._desk.clock.now())
        return self._environment.get_template(f"{name}.html").render(
            values,
            page=name,
            visit=visit,
            navigation=NAVIGATION,
            host=self._desk.host,
            now=now.isoformat(timespec="seconds"),
            alert=self._desk.alert() if visit else "",
        )

    def question(
        self,
        visit: SignedInVisit,
        what: str,
        on: str,
        *,
        action: str,
        back: str,
        fields: Mapping[str, str] | None = None,
    ) -> web.Response:
        """Asks whether to do `what`, by a form that leads to `action` with `sure`."""
        asked = QUESTIONS[what]
        return self.page(
            "confirm",
            visit,
            title=asked.title.format(on=on),
            asked=asked,
            action=action,
            fields=fields or {},
            back=back,
        )

    def problem(self, visit: SignedInVisit | None, status: int, text: str) -> web.Response:
        """A page that says what went wrong."""
        return self.page("problem", visit, status, code=status, said=text)
