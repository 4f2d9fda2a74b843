"""Examples made ahead of the step that needs them, in a thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator
from typing import TypeVar

Made = TypeVar("Made")
PREFETCH = 4


def ahead(make: Callable[[int], Made], first: int, last: int) -> Generator[Made, None, None]:
    """`make(step)` for every step from `first` up to `last`, in order, up to PREFETCH steps early.

    What `make` raises is raised here. The thread has ended when the iterator is closed.
    """
    ready: queue.Queue[tuple[Made | None, BaseException | None]] = queue.Queue(PREFETCH)
    stop = threading.Event()

    def offer(made: Made | None, error: BaseException | None = None) -> None:
        while not stop.is_set():
            try:
                ready.put((made, error), timeout=0.5)
            except queue.Full:
                continue
            return

    def work() -> None:
        try:
            for step in range(first, last):
                if stop.is_set():
                    return
                offer(make(step))
        except BaseException as error:
            offer(None, error)

    maker = threading.Thread(target=work, name="examples", daemon=True)
    maker.start()
    try:
        for _ in range(first, last):
            made, error = ready.get()
            if error is not None:
                raise error
            yield made  # type: ignore[misc]
    finally:
        stop.set()
        maker.join()
