"""Threads for work that must not fail for lack of one, and a thread in which no job is lost once it
has begun."""

import threading
from concurrent.futures import wait
from datetime import timedelta
from functools import partial

import pytest

from graphrelay.threads import Worker, all_started
from tests.spool.faulty import no_threads_left

A_MOMENT = timedelta(milliseconds=20)
LONG = timedelta(seconds=20)


def test_work_is_taken_when_no_more_threads_can_be_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with all_started(3, "test") as pool:
        no_threads_left(monkeypatch)
        gate = threading.Event()
        works = [pool.submit(gate.wait, 10) for _ in range(10)]
        gate.set()
        assert not wait(works, 10).not_done


def test_too_few_threads_at_the_start_are_reported_and_none_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = threading.active_count()
    no_threads_left(monkeypatch, after=2)
    with pytest.raises(OSError, match="cannot start more threads"):
        all_started(3, "test")
    assert threading.active_count() == before


@pytest.fixture
def worker() -> Worker:
    return Worker("test")


def test_jobs_run_in_order_in_one_thread_of_its_name(worker: Worker) -> None:
    seen: list[tuple[int, str]] = []

    def note(number: int) -> None:
        seen.append((number, threading.current_thread().name))

    for number in range(50):
        worker.submit(partial(note, number))
    worker.call(lambda: None, LONG)
    assert seen == [(number, "test") for number in range(50)]
    worker.close()


def test_an_exception_of_a_job_reaches_the_caller_who_waits(worker: Worker) -> None:
    with pytest.raises(ZeroDivisionError):
        worker.call(lambda: 1 // 0, LONG)
    assert worker.call(lambda: 1, LONG) == 1
    worker.close()


def test_a_thread_that_could_not_be_started_is_started_for_the_next_job(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_more_threads(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as exhausted:
        exhausted.setattr(threading.Thread, "start", no_more_threads)
        with pytest.raises(RuntimeError):
            worker.submit(lambda: 1)
    assert worker.call(lambda: 2, LONG) == 2
    worker.close()


def test_a_job_that_had_not_begun_is_dropped_when_its_time_is_over(worker: Worker) -> None:
    hold, done = threading.Event(), []
    worker.submit(hold.wait)
    with pytest.raises(TimeoutError):
        worker.call(lambda: done.append("late"), A_MOMENT)
    hold.set()
    worker.call(lambda: None, LONG)
    assert done == []
    worker.close()


def test_a_job_that_had_begun_runs_to_its_end(worker: Worker) -> None:
    hold, done = threading.Event(), []

    def work() -> None:
        hold.wait()
        done.append("stored")

    with pytest.raises(TimeoutError):
        worker.call(work, A_MOMENT)
    hold.set()
    worker.call(lambda: None, LONG)
    assert done == ["stored"]
    worker.close()


def test_closing_ends_the_thread_after_what_was_handed_in(worker: Worker) -> None:
    done: list[int] = []
    worker.submit(lambda: done.append(1))
    last = worker.submit(threading.current_thread)
    worker.close()
    thread = last.result(20)
    thread.join(20)
    assert done == [1]
    assert not thread.is_alive()
    assert thread.daemon


def test_a_worker_without_jobs_can_be_closed_twice_and_starts_no_thread(worker: Worker) -> None:
    before = threading.active_count()
    worker.close()
    worker.close()
    assert threading.active_count() <= before
