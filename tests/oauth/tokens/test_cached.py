"""Until when a token may be used: by both clocks."""

from dataclasses import replace
from datetime import timedelta

import pytest

from graphrelay.oauth.tokens.cached import LAST_USE, MARGIN, RENEWED_EVERY, CachedToken
from tests.oauth.test_authorization import ACCESS, NOW

START = timedelta(hours=9)
TOKEN = CachedToken.of(ACCESS, NOW, START)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(("minutes", "lasts"), [(0, True), (54, True), (55, False), (61, False)])
def test_it_lasts_until_the_margin(minutes: int, lasts: bool) -> None:
    passed = minutes * MINUTE
    assert TOKEN.lasts(MARGIN, NOW + passed, START + passed) is lasts


def test_it_may_be_used_up_to_the_last() -> None:
    passed = 59 * MINUTE
    assert TOKEN.lasts(LAST_USE, NOW + passed, START + passed)
    assert not TOKEN.lasts(LAST_USE, NOW + passed + LAST_USE, START + passed + LAST_USE)


def test_either_clock_ends_it() -> None:
    assert not TOKEN.lasts(MARGIN, NOW, START + 60 * MINUTE), "the wall clock was set back"
    assert not TOKEN.lasts(MARGIN, NOW + 60 * MINUTE, START), "the machine was asleep"


@pytest.mark.parametrize(("minutes", "due"), [(0, False), (29, False), (30, True), (90, True)])
def test_a_token_for_an_hour_is_renewed_at_half_time(minutes: int, due: bool) -> None:
    passed = minutes * MINUTE
    assert TOKEN.is_due(NOW + passed, START + passed) is due


def test_a_token_for_a_day_is_renewed_long_before_that() -> None:
    long = CachedToken.of(replace(ACCESS, expires_at=NOW + timedelta(hours=24)), NOW, START)
    assert not long.is_due(NOW + RENEWED_EVERY - MINUTE, START + RENEWED_EVERY - MINUTE)
    assert long.is_due(NOW + RENEWED_EVERY, START + RENEWED_EVERY)
