"""The smaller suites: memory, threads, messages, progress, time line, planes."""

from __future__ import annotations

import ctypes
import os
import threading
from dataclasses import dataclass
from typing import Any

from ofx_host.abi import (
    BAD_HANDLE,
    FAILED,
    OK,
    REPLY_NO,
    REPLY_YES,
    Double,
    Int,
    Pointer,
    RectD,
    Suite,
    Text,
    function,
    text,
    write_double,
    write_int,
    write_pointer,
)
from ofx_host.clips import Clip
from ofx_host.effect import Effect, fetch
from ofx_host.journal import Message

KINDS = {f"OfxMessage{kind}" for kind in ("Fatal", "Error", "Warning", "Message", "Log", "Question")}
THREAD = ctypes.CFUNCTYPE(None, ctypes.c_uint, ctypes.c_uint, Pointer)


class MemorySuite(Suite):
    @function(Pointer, ctypes.c_size_t, Pointer)
    def memoryAlloc(self, handle, size, where_to):
        block = ctypes.create_string_buffer(size)
        address = ctypes.addressof(block)
        self.host.blocks[address] = block
        write_pointer(where_to, address)
        return OK

    @function(Pointer)
    def memoryFree(self, address):
        if self.host.blocks.pop(address, None) is None:
            self.host.journal.wrong("memoryFree was given memory that was not allocated, or was freed before")
            return BAD_HANDLE
        return OK


class MultiThreadSuite(Suite):
    @function(THREAD, ctypes.c_uint, Pointer)
    def multiThread(self, work, count, argument):
        threads = [threading.Thread(target=work, args=(i, count, argument)) for i in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return OK

    @function(Pointer)
    def multiThreadNumCPUs(self, where_to):
        write_int(where_to, os.cpu_count() or 1)
        return OK

    @function(Pointer)
    def multiThreadIndex(self, where_to):
        write_int(where_to, 0)
        return OK

    @function()
    def multiThreadIsSpawnedThread(self):
        return 0

    def _mutex(self, handle: int, where: str) -> Any:
        return self.host.handles.get(handle, Mutex, where)

    @function(Pointer, Int)
    def mutexCreate(self, where_to, count):
        write_pointer(where_to, self.host.handles.new(Mutex()))
        return OK

    @function(Pointer)
    def mutexDestroy(self, handle):
        if self._mutex(handle, "mutexDestroy") is None:
            return BAD_HANDLE
        self.host.handles.drop(handle)
        return OK

    @function(Pointer)
    def mutexLock(self, handle):
        mutex = self._mutex(handle, "mutexLock")
        return BAD_HANDLE if mutex is None else (mutex.lock.acquire(), OK)[1]

    @function(Pointer)
    def mutexUnLock(self, handle):
        mutex = self._mutex(handle, "mutexUnLock")
        return BAD_HANDLE if mutex is None else (mutex.lock.release(), OK)[1]

    @function(Pointer)
    def mutexTryLock(self, handle):
        mutex = self._mutex(handle, "mutexTryLock")
        return BAD_HANDLE if mutex is None else (OK if mutex.lock.acquire(blocking=False) else FAILED)


class Mutex:
    def __init__(self) -> None:
        self.lock = threading.RLock()


class MessageSuiteV1(Suite):
    def _say(self, handle: int, kind: bytes, form: bytes, persistent: bool, where: str) -> int:
        """As Natron: what follows the format cannot be used, so that a format must be the finished sentence."""
        effect = self.host.handles.get(handle, Effect, where) if handle else None
        kind_word, sentence = text(kind), text(form) or ""
        if kind_word not in KINDS:
            self.host.journal.wrong(f"{where}: no kind of message is called {kind_word}")
        if "%" in sentence.replace("%%", ""):
            self.host.journal.wrong(f"{where}: the format {sentence!r} wants arguments, which Natron garbles")
        try:
            sentence.encode("utf-8")
        except UnicodeEncodeError:
            self.host.journal.wrong(f"{where}: {sentence!r} is not UTF-8")
        sentence = sentence.replace("%%", "%")
        self.host.journal.messages.append(Message(kind_word, sentence, persistent, effect))
        if persistent and effect is not None:
            effect.persistent = sentence
        return REPLY_YES if kind_word == "OfxMessageQuestion" else OK

    @function(Pointer, Text, Text, Text)
    def message(self, handle, kind, identifier, form):
        return self._say(handle, kind, form, False, "message")


class MessageSuiteV2(MessageSuiteV1):
    @function(Pointer, Text, Text, Text)
    def setPersistentMessage(self, handle, kind, identifier, form):
        if text(kind) not in ("OfxMessageError", "OfxMessageWarning", "OfxMessageMessage"):
            self.host.journal.wrong(f"setPersistentMessage cannot show {text(kind)}")
        return self._say(handle, kind, form, True, "setPersistentMessage")

    @function(Pointer)
    def clearPersistentMessage(self, handle):
        effect = self.host.handles.get(handle, Effect, "clearPersistentMessage")
        if effect is None:
            return BAD_HANDLE
        effect.persistent = ""
        return OK


@dataclass
class Bar:
    """A progress bar that was shown, and the shares it was told."""

    label: str
    shares: list[float]
    ended: bool = False


class ProgressSuite(Suite):
    """In a render thread the first answers are no, though nobody cancelled: so does Natron's window."""

    def _effect(self, handle: int, where: str) -> Effect | None:
        return self.host.handles.get(handle, Effect, where)

    @function(Pointer, Text)
    def progressStart(self, handle, label):
        effect = self._effect(handle, "progressStart")
        if effect is None:
            return BAD_HANDLE
        if handle in self.host.progress:
            self.host.journal.wrong("progressStart was called twice")
        label = text(label) or ""
        if not label:
            self.host.journal.wrong("progressStart without a label")
        self.host.progress[handle] = []
        self.host.bars.append(Bar(label, self.host.progress[handle]))
        return OK

    @function(Pointer, Double)
    def progressUpdate(self, handle, share):
        if self._effect(handle, "progressUpdate") is None:
            return BAD_HANDLE
        if handle not in self.host.progress or not 0 <= share <= 1:
            self.host.journal.wrong(f"progressUpdate({share}) before progressStart or outside 0..1")
            return FAILED
        self.host.progress[handle].append(share)
        rendering = self.host.journal.current[0] == "OfxImageEffectActionRender"
        return REPLY_NO if rendering and len(self.host.progress[handle]) <= 2 else OK

    @function(Pointer)
    def progressEnd(self, handle):
        if self._effect(handle, "progressEnd") is None:
            return BAD_HANDLE
        shares = self.host.progress.pop(handle, None)
        if shares is None:
            self.host.journal.wrong("progressEnd without progressStart")
        for bar in self.host.bars:
            bar.ended = bar.ended or bar.shares is shares
        return OK


class TimeLineSuite(Suite):
    @function(Pointer, Pointer)
    def getTime(self, handle, where_to):
        write_double(where_to, self.host.time)
        return OK

    @function(Pointer, Double)
    def gotoTime(self, handle, time):
        self.host.time = time
        return OK

    @function(Pointer, Pointer, Pointer)
    def getTimeBounds(self, handle, first, last):
        write_double(first, 1.0)
        write_double(last, 100.0)
        return OK


class PlaneSuiteV1(Suite):
    @function(Pointer, Double, Text, Pointer, Pointer)
    def clipGetImagePlane(self, handle, time, plane, region, where_to):
        return fetch(self.host, handle, time, text(plane), where_to, "clipGetImagePlane")


class PlaneSuiteV2(Suite):
    @function(Pointer, Double, Int, Text, Pointer, Pointer)
    def clipGetImagePlane(self, handle, time, view, plane, region, where_to):
        if view != 0:
            self.host.journal.wrong(f"clipGetImagePlane: there is no view {view}")
            return FAILED
        return fetch(self.host, handle, time, text(plane), where_to, "clipGetImagePlane")

    @function(Pointer, Double, Int, Pointer)
    def clipGetRegionOfDefinition(self, handle, time, view, where_to):
        clip = self.host.handles.get(handle, Clip, "clipGetRegionOfDefinition")
        region = clip.region_of_definition(time) if clip else None
        if region is None:
            return FAILED if clip else BAD_HANDLE
        RectD.from_address(where_to).__init__(*region)
        return OK

    @function(Pointer, Int, Pointer)
    def getViewName(self, handle, view, where_to):
        write_pointer(where_to, self.host.keep_text("Main"))
        return OK

    @function(Pointer, Pointer)
    def getViewCount(self, handle, where_to):
        write_int(where_to, 1)
        return OK
