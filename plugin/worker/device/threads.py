"""Reused threads, the most recently used first.

OpenMP and the GPU libraries keep a team or a workspace for every thread that ever computed, so that always the same
thread should; a second one is used only while the first is waiting in the middle of a job.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")
Inbox = queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]]]


class Threads:
    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._idle: list[Inbox] = []
        self._count = 0

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Runs `work` at once, in an idle thread or a new one."""
        future: Future[T] = Future()
        with self._lock:
            inbox = self._idle.pop() if self._idle else None
            if inbox is None:
                self._count += 1
                inbox = queue.SimpleQueue()
                threading.Thread(
                    target=self._loop, args=(inbox,), name=f"{self._name} {self._count}", daemon=True
                ).start()
        inbox.put((work, future))
        return future

    def run(self, work: Callable[[], T]) -> T:
        """Runs `work` in one of the threads and waits for it."""
        return self.submit(work).result()

    def _loop(self, inbox: Inbox) -> None:
        while True:
            work, future = inbox.get()
            value, error = None, None
            try:
                value = work()
            except BaseException as raised:
                error = raised
            # Idle again before anyone learns the result: who then submits more gets this very thread.
            with self._lock:
                self._idle.append(inbox)
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)
            del work, future, value, error
