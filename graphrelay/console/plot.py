"""Plots as SVG: bars of what was relayed, delayed and failed, with a title for each.

The picture contains no colours: the style sheet gives each kind one that suits both colour schemes.
"""

from collections.abc import Sequence

from markupsafe import Markup

from graphrelay.console.tallies import Interval

KINDS = ("failed", "delayed", "relayed")
"""From the bottom up."""
WIDTH, HEIGHT, FOOT = 600, 120, 16
GAP = 2


def bars(intervals: Sequence[Interval], title: str, label: str) -> Markup:
    """One bar for each interval; `label` is how its start is written (strftime)."""
    most = max((_total(interval) for interval in intervals), default=0)
    wide = WIDTH / max(1, len(intervals))
    drawn = Markup("").join(
        _bar(interval, number * wide, wide - GAP, most, label)
        for number, interval in enumerate(intervals)
    )
    ends = Markup("")
    if intervals:
        first, last = (intervals[n].start.strftime(label) for n in (0, -1))
        ends = Markup(
            '<text x="0" y="{y}">{first}</text>'
            '<text x="{x}" y="{y}" text-anchor="end">{last}</text>'
        ).format(first=first, last=last, x=WIDTH, y=HEIGHT + FOOT - 2)
    return Markup(
        '<svg class="plot" viewBox="0 0 {w} {h}" role="img" aria-label="{title}: {said}">'
        '<line x1="0" y1="{y}" x2="{w}" y2="{y}"/>{drawn}{ends}</svg>'
    ).format(
        w=WIDTH,
        h=HEIGHT + FOOT,
        y=HEIGHT,
        title=title,
        said=_said(intervals),
        drawn=drawn,
        ends=ends,
    )


def _bar(interval: Interval, x: float, wide: float, most: int, label: str) -> Markup:
    parts, top = Markup(""), float(HEIGHT)
    for kind in KINDS:
        if count := interval.counts[kind]:
            high = max(1.0, (HEIGHT - 4) * count / most)
            top -= high
            parts += Markup(
                '<rect class="{kind}" x="{x}" y="{y}" width="{wide}" height="{high}"/>'
            ).format(kind=kind, x=_short(x), y=_short(top), wide=_short(wide), high=_short(high))
    if not parts:
        return parts
    said = ", ".join(f"{interval.counts[kind]:,} {kind}" for kind in reversed(KINDS))
    title = f"{interval.start.strftime(label)} UTC: {said}"
    return Markup("<g><title>{}</title>{}</g>").format(title, parts)


def _total(interval: Interval) -> int:
    return sum(interval.counts[kind] for kind in KINDS)


def _said(intervals: Sequence[Interval]) -> str:
    totals = {kind: sum(one.counts[kind] for one in intervals) for kind in reversed(KINDS)}
    return ", ".join(f"{count:,} {kind}" for kind, count in totals.items())


def _short(amount: float) -> str:
    return f"{amount:.1f}".removesuffix(".0")
