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
        authorize = Button("Authorize", path, {"method": "browser"}, main=True)
    elif here:
        authorize = Button("Authorize in this browser", path, {"method": "browser"}, main=True)
    else:
        authorize = Button("Authorize with a code", path, {"method": "device"}, main=True)
    why = f"{found['reason']} {found['remedy']}".strip()
    return Need(found["account"], found["status"], why, (authorize, _to_account(found)))


def _to_account(found: Output) -> Button:
    return Button("Show the account", f"/accounts#{quote(found['account'])}")


def _lane(lane: Output) -> Need:
    which = {"account": lane["account"], "mailbox": lane["mailbox"]}
    return Need(
        f"{lane['account']}, mailbox {lane['mailbox']}",
        lane["state"],
        f"{lane['reason']} {lane['remedy']} {number(lane['waiting'])} waiting.",
        (
            Button("Try again now", "/queue", {"what": "retry", **which}, main=True),
            Button("Show what waits", f"/queue?{urlencode(which)}"),
        ),
        until=lane["until"],
    )


def _queue(figures: Output, limits: HealthLimits, now: datetime) -> Iterator[Need]:
    held, oldest, free = figures["held"], figures["oldest"], figures["free"]
    if held:
        words = f"{number(held)} message{'' if held == 1 else 's'}"
        why = "Nothing of it is sent until somebody releases or deletes it."
        show = Button("Show what is held", "/queue?state=held", main=True)
        yield Need(words, "held", why, (show,))
    if oldest and now - datetime.fromisoformat(oldest) > limits.queue_older_than:
        show = Button("Show what waits", "/queue?state=queued", main=True)
        yield Need("The oldest message", "delayed", "It has been waiting for long.", (show,))
    if free is not None and free < limits.disk_below:
        why = f"{size(free)} are left. Below 32 MB the relay refuses mail (452)."
        yield Need("The disk", "nearly full", why)
