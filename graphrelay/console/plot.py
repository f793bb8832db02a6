"""Plots as SVG: bars with a title for each.

    bars    what was relayed, delayed and failed
    waits   how long mail was under way, on average

The picture contains no colours: the style sheet gives each kind one that suits both colour schemes.
The script shows the hours in the zone of the browser; days are those of their own zone, which is
named.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from markupsafe import Markup

from graphrelay.console.tallies import Interval
from graphrelay.console.words import number, span

KINDS = ("failed", "delayed", "relayed")
"""From the bottom up."""
WIDTH, HEIGHT, FOOT, HEAD = 360, 90, 16, 16
GAP = 2


def bars(intervals: Sequence[Interval], title: str, label: str) -> Markup:
    """One bar for each interval; `label` is how its start is written (strftime)."""
    most = max((_total(interval) for interval in intervals), default=0)
    return _plot(
        intervals,
        f"{title}: {_said(intervals)}",
        label,
        f"{number(most)} messages" if most else "no messages",
        lambda interval: [(kind, interval.counts[kind]) for kind in KINDS],
        lambda one: ", ".join(f"{one.counts[kind]:,} {kind}" for kind in reversed(KINDS)),
        most,
    )


def waits(intervals: Sequence[Interval], title: str, label: str) -> Markup:
    """How long what was relayed in an interval had been under way, on average."""
    longest = max(map(_wait, intervals), default=0.0)
    said = f"{span(longest)} at most" if longest else "nothing was relayed"
    return _plot(
        intervals,
        f"{title}: {said}",
        label,
        span(longest) if longest else "nothing was relayed",
        lambda interval: [("wait", _wait(interval))],
        lambda interval: span(_wait(interval)),
        longest,
    )


def _wait(interval: Interval) -> float:
    relayed = interval.counts["relayed"]
    return interval.waited / relayed if relayed else 0.0


def _plot(
    intervals: Sequence[Interval],
    said: str,
    label: str,
    top: str,
    parts: Callable[[Interval], list[tuple[str, float]]],
    title: Callable[[Interval], str],
    most: float,
) -> Markup:
    """`top` is what the highest bar stands for, `parts` are those of a bar from the bottom up."""
    wide = WIDTH / max(1, len(intervals))
    drawn = Markup("").join(
        _bar(parts(one), place * wide, wide - GAP, most, _titled(one.start, label, title(one)))
        for place, one in enumerate(intervals)
    )
    ends = Markup("")
    if intervals:
        first, last = (_label(intervals[n].start, label) for n in (0, -1))
        ends = Markup(
            '<text x="0" y="{y}"{first}</text><text x="{x}" y="{y}" text-anchor="end"{last}</text>'
        ).format(first=first, last=last, x=WIDTH, y=HEIGHT + FOOT - 2)
    return Markup(
        '<svg class="plot" viewBox="0 {head} {w} {h}" role="img" aria-label="{said}">'
        '<line x1="0" y1="{y}" x2="{w}" y2="{y}"/><text x="0" y="-3">{top}</text>{drawn}{ends}'
        "</svg>"
    ).format(
        head=-HEAD,
        w=WIDTH,
        h=HEAD + HEIGHT + FOOT,
        y=HEIGHT,
        said=said,
        top=top,
        drawn=drawn,
        ends=ends,
    )


def _bar(
    parts: list[tuple[str, float]], x: float, wide: float, most: float, title: Markup
) -> Markup:
    drawn, top = Markup(""), float(HEIGHT)
    for kind, amount in parts:
        if amount:
            high = max(1.0, (HEIGHT - 4) * amount / most)
            top -= high
            drawn += Markup(
                '<rect class="{kind}" x="{x}" y="{y}" width="{wide}" height="{high}"/>'
            ).format(kind=kind, x=_short(x), y=_short(top), wide=_short(wide), high=_short(high))
    return Markup("<g>{}{}</g>").format(title, drawn) if drawn else drawn


def _titled(start: datetime, label: str, text: str) -> Markup:
    """What is shown of a bar that is pointed at."""
    return Markup("<title{}: {}</title>").format(_label(start, f"{label} %Z"), text)


def _label(start: datetime, label: str) -> Markup:
    """The rest of an opening tag, and its text; an hour is marked for the script."""
    hour = Markup(' data-hour="{}"').format(start.isoformat()) if "%H" in label else ""
    return Markup("{}>{}").format(hour, start.strftime(label))


def _total(interval: Interval) -> int:
    return sum(interval.counts[kind] for kind in KINDS)


def _said(intervals: Sequence[Interval]) -> str:
    totals = {kind: sum(one.counts[kind] for one in intervals) for kind in reversed(KINDS)}
    return ", ".join(f"{count:,} {kind}" for kind, count in totals.items())


def _short(amount: float) -> str:
    return f"{amount:.1f}".removesuffix(".0")
