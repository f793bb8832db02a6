"""One thread that does blocking work, one job after the other.

msal and keyring are synchronous, and neither likes to be called from two threads at once. A job
that was handed in runs to its end even when nobody waits for it any more: Entra may have rolled
a refresh token by then, and what was answered must still be stored.

The thread is a daemon, so a keyring that never answers cannot keep the process from ending.
"""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Job:
    work: Callable[[], Any]
    future: "Future[Any]"

    def run(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            self.future.set_result(self.work())
        except BaseException as problem:  # It belongs to whoever waits.
            self.future.set_exception(problem)


class Worker:
    """Owns the thread. It starts with the first job and ends with `close`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def submit(self, work: Callable[[], T]) -> "Future[T]":
        """Hand in a job; its future is done in the worker's thread. Raises `RuntimeError` where no
        thread can be started."""
        with self._starting:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                thread.start()  # raises where the machine has no more of them; the next job tries
                self._thread = thread
        future: Future[T] = Future()
        self._jobs.put(_Job(work, future))
        return future

    def call(self, work: Callable[[], T], timeout: timedelta) -> T:
        """Do it and wait. Raises `TimeoutError`; the job is then dropped if it had not begun."""
        future = self.submit(work)
        try:
            return future.result(timeout.total_seconds())
        except TimeoutError:
            future.cancel()
            raise

    def close(self) -> None:
        """End the thread after the jobs that were handed in; does not wait for them."""
        with self._starting:
            if self._thread is not None:
                self._jobs.put(None)
                self._thread = None

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job.run()
            del job  # A result may be a secret: it is not kept until the next job comes.
