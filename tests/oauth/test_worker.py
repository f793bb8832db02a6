"""One thread, one job after the other, and no job is lost once it has begun."""

import threading
from datetime import timedelta
from functools import partial

import pytest

from graphrelay.oauth.worker import Worker

A_MOMENT = timedelta(milliseconds=20)
LONG = timedelta(seconds=20)


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


def test_what_a_job_raises_reaches_the_caller(worker: Worker) -> None:
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


def test_closing_before_any_job_is_fine(worker: Worker) -> None:
    worker.close()
    worker.close()
