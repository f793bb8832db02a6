"""Figures and health, as whoever asks gets them."""

from graphrelay.console.asking import asking
from graphrelay.console.metrics.monitoring import Monitoring
from graphrelay.console.options import HealthLimits
from graphrelay.control.verb import VerbError
from graphrelay.journal import Entry, events
from tests.clock import FakeClock
from tests.console.conftest import FIGURES, STATUS, Verbs
from tests.console.metrics.test_counts import ORIGIN

CLOCK = FakeClock()


def monitoring(**answers: object) -> Monitoring:
    return Monitoring(asking(Verbs(**answers)), HealthLimits(), CLOCK)  # type: ignore[arg-type]


async def test_what_the_journal_says_is_counted() -> None:
    of = monitoring()
    of.hear(Entry(CLOCK.now(), events.Accepted("X", None, (), ORIGIN, 1_000, "<m>")))
    body, content_type = await of.metrics("")
    assert b"graphrelay_accepted_bytes_total 1000.0" in body
    assert content_type.startswith("text/plain")


async def test_a_form_of_a_version_that_is_no_number_gives_the_usual_one() -> None:
    _, content_type = await monitoring().metrics("application/openmetrics-text; version=abc")
    assert content_type.startswith("text/plain")


async def test_it_is_well_or_says_why_not() -> None:
    assert await monitoring().readiness() == (True, {"ready": True, "problems": []})
    is_ready, found = await monitoring(status=[{**STATUS, "well": False}]).readiness()
    assert (is_ready, found["problems"]) == (False, ["account website: Authorized"])
    gone = monitoring(figures=VerbError("the disk is gone"))
    assert (await gone.health())[1]["reason"] == "the disk is gone"


async def test_the_limits_may_change() -> None:
    of = monitoring(figures=[{**FIGURES, "free": 600_000_000}])
    assert (await of.readiness())[0]
    of.limits = HealthLimits(disk_below=700_000_000)
    assert not (await of.readiness())[0]


async def test_one_that_is_stopping_is_neither_ready_nor_accepting() -> None:
    of = monitoring()
    of.leave()
    assert (await of.readiness())[1]["problems"] == ["the relay is stopping"]
    is_well, found = await of.health()
    assert (is_well, found["alive"], found["accepting"]) == (False, True, False)
