"""The footage of one job: frames fetched from its client ahead of use and on demand."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import Any

from nodes.errors import Cancelled, ParameterError
from nodes.footage.frame import Frame
from nodes.frame_runs import FrameRuns, frames_there
from plugin.worker.protocol.fields import Span
from plugin.worker.protocol.messages import Need, NeedIdentity, Render
from plugin.worker.protocol.schema import ProtocolError
from plugin.worker.server.turns import PlaceInLine

AHEAD = 6
STEPS_AHEAD = 2
KEPT_BYTES = 512 << 20
InputFrame = tuple[str, int]


class Needs:
    """Numbers the questions to one client: no number stands for two, so that a late answer is never another's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> int:
        with self._lock:
            self._last += 1
            return self._last

    def asked(self, number: int) -> bool:
        return number <= self._last


class _Slot:
    """What was asked for: nothing yet, a value of the `kind` or an error."""

    def __init__(self, kind: type) -> None:
        self.kind = kind
        self.value: Any = None
        self.error: Exception | None = None
        self.done = False


class JobInputs:
    """`nodes.engine.Inputs` over the wire; asked by one thread, answered from another.

    Frames that were used stay at hand up to `KEPT_BYTES`, of the planned ones not more than `AHEAD` wait unused, so
    that a job which walks through a thousand frames needs no more memory than one which looks at ten. A job that
    walks towards its own frame gets the next ones ahead, so that decoding and computing overlap.
    """

    def __init__(
        self,
        request: Render,
        place: PlaceInLine,
        send: Callable[[Need | NeedIdentity], None],
        needs: Needs | None = None,
    ) -> None:
        self._job = request.job
        self._frame = request.frame
        self._connected = request.inputs
        self._place = place
        self._send = send
        self._changed = threading.Condition()
        self._cancelled = False
        self._needs = needs or Needs()
        self._asked: dict[int, _Slot] = {}
        self._plan: deque[InputFrame] = deque()
        self._planned: set[InputFrame] = set()
        self._unused: dict[InputFrame, _Slot] = {}
        self._used: OrderedDict[InputFrame, Frame] = OrderedDict()
        self._identities: dict[tuple[Any, ...], bytes] = {}
        self._runs = {name: FrameRuns(span.first, span.steps) for name, span in request.inputs.items() if span.steps}
        self._latest: dict[str, int] = {}

    def connected(self, name: str) -> bool:
        return name in self._connected

    def range(self, name: str) -> tuple[int, int]:
        span = self._span(name)
        return span.first, span.last

    def frames(self, name: str) -> Sequence[int] | None:
        return self._runs.get(name)

    def frame(self, name: str, frame: int) -> Frame:
        self._span(name)
        key = (name, frame)
        if key in self._used:
            self._used.move_to_end(key)
            return self._used[key]
        slot = self._unused.get(key) or self._ask_frame(key)
        self._walk(name, frame)
        try:
            found: Frame = self._wait(slot)
        finally:
            self._unused.pop(key, None)
        self._top_up()
        self._used[key] = found
        while len(self._used) > 1 and sum(f.pixels.nbytes for f in self._used.values()) > KEPT_BYTES:
            self._used.popitem(last=False)
        return found

    def forget(self, name: str, frame: int) -> None:
        self._used.pop((name, frame), None)

    def identity(self, name: str, first: int, last: int) -> bytes:
        return self._identity(name, first, last, ())

    def identity_of(self, name: str, frames: Sequence[int]) -> bytes:
        return self._identity(name, min(frames), max(frames), tuple(frames)) if frames else b""

    def check_cancelled(self) -> None:
        if self._cancelled:
            raise Cancelled("the render was cancelled")

    def prefetch(self, plan: Sequence[InputFrame]) -> None:
        """Asks for frames that will be used, in the order of use, and waits for the first `AHEAD` of them.

        One that cannot be had is not an error until it is used.
        """
        self._plan.extend(dict.fromkeys((name, frame) for name, frame in plan if name in self._connected))
        self._planned.update(self._plan)
        self._top_up()
        waiting = list(self._unused.values())
        with self._changed:
            self._changed.wait_for(lambda: self._cancelled or all(slot.done for slot in waiting))
        self.check_cancelled()

    def answer(self, need: int, value: Frame | bytes | Exception) -> None:
        """The client's answer, which may come when nobody wants it any more.

        Raises ProtocolError when this was never asked, or another thing.
        """
        with self._changed:
            slot = self._asked.pop(need, None)
            if slot is None:
                if not self._needs.asked(need):
                    raise ProtocolError(f"nobody asked for what need {need} brings")
                return
            if not isinstance(value, slot.kind | Exception):
                raise ProtocolError(f"need {need} was for another thing")
            if isinstance(value, Exception):
                slot.error = value
            else:
                slot.value = value
            slot.done = True
            self._changed.notify_all()

    def cancel(self) -> None:
        with self._changed:
            self._cancelled = True
            self._changed.notify_all()

    def close(self) -> None:
        """Lets go of all frames."""
        with self._changed:
            self._asked.clear()
        self._plan.clear()
        self._unused.clear()
        self._used.clear()

    def _identity(self, name: str, *asked: Any) -> bytes:
        self._span(name)
        key = (name, *asked)
        if key not in self._identities:
            number, slot = self._new_slot(bytes)
            self._send(NeedIdentity(self._job, number, name, *asked))
            self._identities[key] = self._wait(slot)
        return self._identities[key]

    def _span(self, name: str) -> Span:
        if name not in self._connected:
            raise ParameterError(f"input '{name}' is not connected")
        return self._connected[name]

    def _top_up(self) -> None:
        while self._plan and len(self._unused) < AHEAD:
            key = self._plan.popleft()
            if key not in self._unused and key not in self._used:
                self._unused[key] = self._ask_frame(key)

    def _walk(self, name: str, frame: int) -> None:
        """Asks for the next frames of an input that is gone through in order, unless that was planned."""
        there = frames_there(self, name)
        at = bisect_left(there, frame)
        if at and self._latest.get(name) == there[at - 1] and (name, frame) not in self._planned:
            for key in ((name, t) for t in there[at + 1 : at + 1 + STEPS_AHEAD] if t < self._frame):
                if key not in self._unused and key not in self._used:
                    self._unused[key] = self._ask_frame(key)
        self._latest[name] = frame

    def _ask_frame(self, key: InputFrame) -> _Slot:
        number, slot = self._new_slot(Frame)
        self._send(Need(self._job, number, *key))
        return slot

    def _new_slot(self, kind: type) -> tuple[int, _Slot]:
        number, slot = self._needs.next(), _Slot(kind)
        with self._changed:
            self._asked[number] = slot
        return number, slot

    def _wait(self, slot: _Slot) -> Any:
        if not slot.done:
            with self._place.paused(self.check_cancelled), self._changed:
                self._changed.wait_for(lambda: slot.done or self._cancelled)
        self.check_cancelled()
        if slot.error is not None:
            raise slot.error
        return slot.value
