"""What the plug-in did wrong and what it said, with the action and the thread in which it happened."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Message:
    """A message of the plug-in: `kind` is OfxMessageError and so on, `persistent` says how it was sent."""

    kind: str
    text: str
    persistent: bool
    effect: Any = None


class Journal:
    def __init__(self) -> None:
        self.wrongs: list[str] = []
        self.messages: list[Message] = []
        # How long the last action of each name took, in seconds.
        self.seconds: dict[str, float] = {}
        self._current = threading.local()

    @contextmanager
    def action(self, name: str, effect: Any) -> Iterator[list[Any]]:
        """The plug-in is inside an action of an effect in this thread; actions nest. Yields the images it fetches."""
        stack = self._stack()
        images: list[Any] = []
        stack.append((name, effect, images))
        began = time.perf_counter()
        try:
            yield images
        finally:
            self.seconds[name] = time.perf_counter() - began
            stack.pop()

    def _stack(self) -> list[tuple[str, Any, list[Any]]]:
        if not hasattr(self._current, "stack"):
            self._current.stack = []
        return self._current.stack

    @property
    def current(self) -> tuple[str, Any]:
        """The innermost action of this thread and its effect; ("", None) in a thread that the host did not send."""
        stack = self._stack()
        return stack[-1][:2] if stack else ("", None)

    def fetched(self, image: Any) -> None:
        """The innermost action of this thread was given an image."""
        self._stack()[-1][2].append(image)

    def wrong(self, sentence: str) -> None:
        action = self.current[0] or f"thread {threading.current_thread().name}, outside any action"
        self.wrongs.append(f"{action}: {sentence}")

    def check(self) -> None:
        """Raises AssertionError with everything that was wrong."""
        assert not self.wrongs, f"{len(self.wrongs)} offences:\n" + "\n".join(dict.fromkeys(self.wrongs))


class Handles:
    """What a plug-in holds instead of objects; never an address, so that a wrong one cannot do harm."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._objects: dict[int, Any] = {}
        self._gone: dict[int, str] = {}
        self._next = 0x10000
        self._lock = threading.Lock()

    def new(self, thing: Any) -> int:
        with self._lock:
            self._next += 16
            self._objects[self._next] = thing
            return self._next

    def get(self, handle: int | None, kind: Any, where: str) -> Any:
        """The object, or None after writing down why there is none."""
        thing = self._objects.get(handle or 0)
        if isinstance(thing, kind):
            return thing
        if handle in self._gone:
            what = f"{self._gone[handle]} that does not exist any more"
        else:
            what = f"{type(thing).__name__}" if thing is not None else f"something unknown ({handle})"
        self._journal.wrong(f"{where} was given {what}, not {getattr(kind, '__name__', 'an effect')}")
        return None

    def drop(self, handle: int) -> None:
        with self._lock:
            thing = self._objects.pop(handle, None)
            if thing is not None:
                self._gone[handle] = f"a {type(thing).__name__}"
