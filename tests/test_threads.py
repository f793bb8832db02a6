"""Threads for work that must not fail for want of one."""

import threading
from concurrent.futures import wait

import pytest

from graphrelay.threads import all_started
from tests.spool.faulty import no_threads_left


def test_work_is_taken_when_no_more_threads_can_be_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with all_started(3, "test") as pool:
        no_threads_left(monkeypatch)
        gate = threading.Event()
        works = [pool.submit(gate.wait, 10) for _ in range(10)]
        gate.set()
        assert not wait(works, 10).not_done


def test_too_few_threads_at_the_start_are_told_and_none_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = threading.active_count()
    no_threads_left(monkeypatch, after=2)
    with pytest.raises(OSError, match="no more threads"):
        all_started(3, "test")
    assert threading.active_count() == before
