"""The caller of a reload gets its result."""

import asyncio

import pytest

from graphrelay.control.verb import Output, VerbError
from graphrelay.control.verbs.reload import InForce, NotInForce, ReloadRequests, ReloadVerb
from tests.clock import settle


async def reload(requests: ReloadRequests) -> list[Output]:
    async def nobody(what: str) -> str:
        raise AssertionError(what)

    return [event async for event in ReloadVerb(requests).table()["reload"]({}, nobody)]


async def test_all_who_asked_before_a_reload_hear_its_result_and_the_next_does_not() -> None:
    requests = ReloadRequests()
    early = [asyncio.create_task(reload(requests)) for _ in range(2)]
    await settle()
    await requests.asked()
    late = asyncio.create_task(reload(requests))
    await settle()
    requests.answer(InForce(("odd",), ("log",)))
    expected = [{"kind": "reloaded", "warnings": ["odd"], "needs_restart": ["log"]}]
    assert await asyncio.gather(*early) == [expected, expected]
    assert not late.done()
    await requests.asked()
    requests.answer(NotInForce(("f: colour", "f: shape")))
    with pytest.raises(VerbError, match="f: colour\nf: shape\nThe old settings stay in effect"):
        await late


async def test_one_who_has_gone_does_not_keep_the_others_from_the_result() -> None:
    requests = ReloadRequests()
    gone, there = (asyncio.create_task(reload(requests)) for _ in range(2))
    await settle()
    await requests.asked()
    gone.cancel()
    await settle()
    requests.answer(InForce((), ()))
    assert len(await there) == 1
