"""A histogram as Prometheus has it."""

from threading import Thread

import pytest

from graphrelay.durations import STORAGE, Durations


def test_a_histogram_counts_up_to_each_bound() -> None:
    durations = Durations((0.05, 0.1, 10))
    for seconds in (0.05, 0.06, 7, 1e9, -5):
        durations.add(seconds)
    buckets, total = durations.read()
    assert buckets == [(0.05, 2), (0.1, 3), (10, 4), (float("inf"), 5)]
    assert total == 0.05 + 0.06 + 7 + 1e9


def test_what_fails_is_not_measured() -> None:
    durations = Durations(STORAGE)
    with durations.measured():
        pass
    with pytest.raises(OSError, match="full"), durations.measured():
        raise OSError("full")
    buckets, total = durations.read()
    assert buckets[-1] == (float("inf"), 1)
    assert total >= 0


def test_threads_lose_nothing() -> None:
    durations = Durations((1,))

    def add() -> None:
        for _ in range(2_000):
            durations.add(0.5)

    threads = [Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert durations.read() == ([(1, 8_000), (float("inf"), 8_000)], 4_000)
