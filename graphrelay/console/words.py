"""Values in the words and forms of the pages: moments, sizes, numbers, states."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from markupsafe import Markup, escape

from graphrelay.console import texts

_GOOD = frozenset({"relayed", "Authorized", "open", "released", "retried", "resent"})
_BAD = frozenset(
    {
        "failed",
        "Refused",
        "Unauthorized",
        "Too broad",
        "bounced",
        "paused",
        "held",
        "nearly full",
    }
)


def moment(text: str | None) -> Markup:
    """A moment of an event (ISO 8601, UTC). The script shows it in the zone of the browser."""
    if not text:
        return Markup("–")
    shown = datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S UTC")
    return _marked(f'<time datetime="{escape(text)}">', shown, "</time>")


def size(octets: int) -> str:
    """`2.3 kB`"""
    amount = float(octets)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def number(count: float) -> str:
    """`12,345`"""
    return f"{count:,}"


def span(seconds: float | None) -> str:
    """`3 min`, `2 h`, `4 days`"""
    if seconds is None:
        return "–"
    left = timedelta(seconds=seconds)
    for unit, length in (("days", timedelta(days=1)), ("h", timedelta(hours=1))):
        if left >= 2 * length:
            return f"{left // length} {unit}"
    if left >= timedelta(minutes=2):
        return f"{left // timedelta(minutes=1)} min"
    return f"{round(left.total_seconds(), 2):g} s"


def label(state: str) -> Markup:
    """A state, coloured: good, bad, or between."""
    tone = "good" if state in _GOOD else "bad" if state in _BAD else "between"
    return _marked(f'<span class="label {tone}">', state, "</span>")


def cell(text: object) -> Markup:
    """Text from a stranger, isolated in its own writing direction."""
    return _marked("<bdi>", text, "</bdi>")


def _marked(before: str, text: object, after: str) -> Markup:
    """`Markup.format` takes four times as long, and a page has hundreds of these."""
    return Markup(f"{before}{escape(text)}{after}")  # noqa: S704 (the text is escaped)


def people(addresses: Sequence[str], shown: int = 3) -> Markup:
    """The first few, and how many more."""
    more = len(addresses) - shown
    listed = Markup(", ").join(cell(one) for one in addresses[:shown])
    return listed + (f" and {more} more" if more > 0 else "")


def scenario(name: str) -> str:
    """In words."""
    return texts.SCENARIOS.get(name, name)


FILTERS: dict[str, Callable[..., Any]] = {
    "moment": moment,
    "size": size,
    "number": number,
    "span": span,
    "label": label,
    "cell": cell,
    "people": people,
    "scenario": scenario,
}
