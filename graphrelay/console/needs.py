"""What needs a person, and the buttons that do it: from what the relay says of itself.

account that cannot send   authorize it
lane that stands           try again now, or look at what waits
mail that is held          look at it
mail that waits too long   look at it
disk that is nearly full   (nothing that a button could do)
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote, urlencode

from graphrelay.console import texts
from graphrelay.console.metrics.snapshot import Snapshot
from graphrelay.console.options import HealthLimits
from graphrelay.console.words import number, size
from graphrelay.control.verb import Output

APPLICATIONS = ("any-user", "scoped-users")
_GOES_ON = ("open", "resting")


@dataclass(frozen=True, slots=True)
class Button:
    """A form with one button; without `fields`, a link."""

    words: str
    path: str
    fields: dict[str, str] = field(default_factory=dict)
    main: bool = False
    tab: str = ""
    """`_blank`: a new one, which goes to Microsoft and back."""

    @property
    def acts(self) -> bool:
        return bool(self.fields)


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that somebody has to look at."""

    what: str
    state: str
    why: str
    buttons: tuple[Button, ...] = ()
    until: str | None = None


def needs(snapshot: Snapshot, limits: HealthLimits, now: datetime, *, here: bool) -> Iterator[Need]:
    """`here`: the browser runs on the relay's machine."""
    unwell = [found for found in snapshot.accounts if not found["well"]]
    yield from (_account(found, here) for found in unwell)
    names = {found["account"] for found in unwell}
    for lane in snapshot.lanes:
        if lane["state"] not in _GOES_ON and lane["account"] not in names:
            yield _lane(lane)
    for found in snapshot.accounts:
        if found["well"] and found["warning"]:
            yield Need(found["account"], "soon", found["warning"], (_to_account(found),))
    yield from _queue(snapshot.figures, limits, now)


def _account(found: Output, here: bool) -> Need:
    path = f"/accounts/{quote(found['account'], safe='')}/authorize"
    if found["scenario"] in APPLICATIONS:
        authorize = Button(texts.AUTHORIZE, path, {"method": "browser"}, main=True)
    elif here:
        authorize = Button(
            texts.AUTHORIZE_HERE, path, {"method": "browser"}, main=True, tab="_blank"
        )
    else:
        authorize = Button(texts.AUTHORIZE_BY_CODE, path, {"method": "device"}, main=True)
    why = f"{found['reason']} {found['remedy']}".strip()
    return Need(found["account"], found["status"], why, (authorize, _to_account(found)))


def _to_account(found: Output) -> Button:
    return Button(texts.SHOW_ACCOUNT, f"/accounts#{quote(found['account'])}")


def _lane(lane: Output) -> Need:
    which = {"account": lane["account"], "mailbox": lane["mailbox"]}
    waiting = texts.WAITING.format(count=number(lane["waiting"]))
    return Need(
        f"{lane['account']}, mailbox {lane['mailbox']}",
        lane["state"],
        f"{lane['reason']} {lane['remedy']} {waiting}",
        (
            Button(texts.TRY_AGAIN, "/queue/retry", which, main=True),
            Button(texts.SHOW_WAITING, f"/queue?{urlencode(which)}"),
        ),
        until=lane["until"],
    )


def _queue(figures: Output, limits: HealthLimits, now: datetime) -> Iterator[Need]:
    held, oldest, free = figures["held"], figures["oldest"], figures["free"]
    if held:
        show = Button(texts.SHOW_HELD, "/queue?state=held", main=True)
        yield Need(texts.messages(held), "held", texts.HELD, (show,))
    if oldest and now - datetime.fromisoformat(oldest) > limits.queue_older_than:
        show = Button(texts.SHOW_WAITING, "/queue?state=queued", main=True)
        yield Need(texts.OLDEST, "delayed", texts.OLDEST_WAITS, (show,))
    if free is not None and free < limits.disk_below:
        why = texts.DISK_FULL.format(left=size(free))
        yield Need(texts.DISK, "nearly full", why)
