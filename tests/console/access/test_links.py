"""Links: each works once, within five minutes."""

from graphrelay.console.access.links import LASTS, Links
from tests.clock import FakeClock


def test_a_link_works_once() -> None:
    links = Links(FakeClock())
    value = links.make("root")
    assert links.look(value) == "root"
    assert links.look(value) == "root", "looking does not use it"
    assert links.use(value) == "root"
    assert links.look(value) is None
    assert links.use(value) is None


async def test_a_link_works_for_five_minutes() -> None:
    clock = FakeClock()
    links = Links(clock)
    early, late = links.make("root"), links.make("root")
    await clock.advance(LASTS / 2)
    assert links.use(early) == "root"
    await clock.advance(LASTS / 2)
    assert links.look(late) is None
    assert links.use(late) is None


def test_a_link_that_never_was_does_not_work() -> None:
    links = Links(FakeClock())
    links.make("root")
    assert links.use("guess") is None


def test_of_very_many_unused_links_the_oldest_are_void() -> None:
    links = Links(FakeClock())
    values = [links.make("root") for _ in range(101)]
    assert links.use(values[0]) is None
    assert links.use(values[1]) == "root"
