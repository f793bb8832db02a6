"""Threads for blocking work: several that are all running from the start, or one that takes turns.

`all_started`: a `ThreadPoolExecutor` starts its threads one by one as work arrives. Where the
machine has none left by then (the limit of a cgroup or a user, no memory for a stack), `submit`
raises and has queued the work all the same: it runs later, after the caller has given up.

`Worker`: msal and keyring are synchronous, and neither may be called from two threads at once. A
job that has begun runs to its end even when nobody waits for it any more: Entra may have rolled a
refresh token by then, and the answer must still be stored.
"""

import errno
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

T = TypeVar("T")


def all_started(most: int, name: str) -> ThreadPoolExecutor:
    """An executor with `most` running threads. Raises `OSError` where not all can be started."""
    pool = ThreadPoolExecutor(most, thread_name_prefix=name)
    met = threading.Barrier(most + 1)
    try:
        for _ in range(most):
            pool.submit(met.wait)
    except RuntimeError as error:
        met.abort()
        pool.shutdown()
        raise OSError(errno.EAGAIN, "The machine cannot start more threads") from error
    met.wait()
    return pool


class NoThread(RuntimeError):  # noqa: N818 (a condition that may pass)
    """The limit of a cgroup or a user, or no memory for a stack."""


@dataclass(frozen=True, slots=True)
class _Job:
    work: Callable[[], Any]
    future: "Future[Any]"

    def run(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            self.future.set_result(self.work())
        except BaseException as problem:  # for the caller who waits
            self.future.set_exception(problem)


class Worker:
    """One daemon thread that does blocking work, one job after the other.

    It starts with the first job and ends with `close`. A keyring that never answers cannot keep
    the process from ending.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def submit(self, work: Callable[[], T]) -> "Future[T]":
        """Queue a job; its future completes in the worker's thread. Raises `NoThread`."""
        with self._starting:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:  # the next job tries again
                    raise NoThread("the machine cannot start another thread") from error
                self._thread = thread
        future: Future[T] = Future()
        self._jobs.put(_Job(work, future))
        return future

    def call(self, work: Callable[[], T], timeout: timedelta) -> T:
        """Run it and wait. Raises `TimeoutError`; a job that has not begun is then dropped."""
        future = self.submit(work)
        try:
            return future.result(timeout.total_seconds())
        except TimeoutError:
            future.cancel()
            raise

    def close(self) -> None:
        """End the thread after the jobs that are queued; does not wait for them."""
        with self._starting:
            if self._thread is not None:
                self._jobs.put(None)
                self._thread = None

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job.run()
            del job  # a result may be a secret: it is not kept until the next job arrives
