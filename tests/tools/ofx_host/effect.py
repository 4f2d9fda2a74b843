"""Effects: their description, their instances and render clones, and the image effect suite."""

from __future__ import annotations

import threading
import time as clock
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from ofx_host import standard
from ofx_host.abi import (
    BAD_HANDLE,
    EXISTS,
    FAILED,
    OK,
    UNKNOWN,
    Double,
    Pointer,
    RectD,
    Suite,
    Text,
    function,
    text,
    write_pointer,
)
from ofx_host.clips import COLOUR, Clip, ClipDescriptor
from ofx_host.images import Buffer, Image
from ofx_host.params import ParamSet
from ofx_host.properties import PropertySet


class Now(threading.local):
    """What an effect renders in this thread."""

    window: tuple[int, int, int, int] = (0, 0, 0, 0)
    scale: tuple[float, float] = (1.0, 1.0)
    outputs: Mapping[str, Buffer] = MappingProxyType({})


class Descriptor:
    """What Describe or DescribeInContext filled in."""

    def __init__(self, host: Any, bundle: str) -> None:
        self.host = host
        definitions = dict(standard.EFFECT_DESCRIPTOR)
        if host.profile.extensions:
            definitions |= standard.EXTENSIONS["effect descriptor"]
        self.properties = PropertySet(host, "effect descriptor", definitions, OfxPluginPropFilePath=bundle)
        self.params = ParamSet(host, None)
        self.clips: dict[str, ClipDescriptor] = {}
        self.handle: int = host.handles.new(self)

    def let_go(self) -> None:
        for clip in self.clips.values():
            clip.let_go()
        self.params.let_go()
        self.properties.let_go()
        self.host.handles.drop(self.handle)


class Effect:
    """An instance as the plug-in sees it; `clone_of` shares its parameters' values and its connections."""

    def __init__(self, host: Any, descriptor: Descriptor, context: str, clone_of: Effect | None = None) -> None:
        self.host, self.descriptor, self.context, self.original = host, descriptor, context, clone_of
        definitions = dict(standard.EFFECT_INSTANCE)
        if host.profile.extensions:
            definitions |= standard.EXTENSIONS["effect instance"]
        values: dict[str, Any] = {
            "OfxImageEffectPropContext": context,
            "OfxImageEffectPropPluginHandle": descriptor.handle,
            "OfxPluginPropFilePath": descriptor.properties["OfxPluginPropFilePath"],
        }
        if clone_of is None:
            # A render clone in Natron sees nothing of the project.
            values |= {
                "OfxImageEffectPropProjectSize": [1920.0, 1080.0],
                "OfxImageEffectPropProjectExtent": [1920.0, 1080.0],
                "OfxImageEffectInstancePropEffectDuration": 100.0,
                "OfxImageEffectPropFrameRate": 24.0,
            }
        self.properties = PropertySet(host, "effect instance", definitions, **values)
        self.params = descriptor.params.instance(self, clone_of.params if clone_of else None)
        self.clips = {name: Clip(host, clip, self) for name, clip in descriptor.clips.items()}
        for name, clip in self.clips.items():
            clip.connect(clone_of.clips[name].footage if clone_of else None)
        self.now = Now()
        self.abort_when: Callable[[int], bool] = lambda polls: False
        self.polls: list[float] = []
        self.edited: list[str] = []
        self.on_edit: Callable[[str], None] = lambda name: None
        self.persistent = ""
        self.handle: int = host.handles.new(self)

    def plugin_edited(self, name: str) -> None:
        self.edited.append(name)
        self.on_edit(name)

    def should_abort(self) -> int:
        self.polls.append(clock.monotonic())
        return int(self.abort_when(len(self.polls)))

    def let_go(self) -> None:
        for clip in self.clips.values():
            clip.let_go()
        self.params.let_go()
        self.properties.let_go()
        self.host.handles.drop(self.handle)


class ImageEffectSuite(Suite):
    @function(Pointer, Pointer)
    def getPropertySet(self, handle, where_to):
        effect = self.host.effect(handle, "getPropertySet")
        if effect is None:
            return BAD_HANDLE
        write_pointer(where_to, effect.properties.handle)
        return OK

    @function(Pointer, Pointer)
    def getParamSet(self, handle, where_to):
        effect = self.host.effect(handle, "getParamSet")
        if effect is None:
            return BAD_HANDLE
        write_pointer(where_to, effect.params.handle)
        return OK

    @function(Pointer, Text, Pointer)
    def clipDefine(self, handle, name, where_to):
        effect = self.host.handles.get(handle, Descriptor, "clipDefine")
        if effect is None:
            return BAD_HANDLE
        name = text(name)
        if self.host.journal.current[0] != "OfxImageEffectActionDescribeInContext":
            self.host.journal.wrong(f"clip {name} is defined outside DescribeInContext")
        if name in effect.clips:
            self.host.journal.wrong(f"clip {name} is defined twice")
            return EXISTS
        clip = effect.clips[name] = ClipDescriptor(self.host, name)
        if where_to:
            write_pointer(where_to, clip.properties.handle)
        return OK

    @function(Pointer, Text, Pointer, Pointer)
    def clipGetHandle(self, handle, name, where_to, properties):
        effect = self.host.handles.get(handle, Effect, "clipGetHandle")
        if effect is None:
            return BAD_HANDLE
        clip = effect.clips.get(text(name))
        if clip is None:
            self.host.journal.wrong(f"clipGetHandle: there is no clip {text(name)}")
            return UNKNOWN
        write_pointer(where_to, clip.handle)
        if properties:
            write_pointer(properties, clip.properties.handle)
        return OK

    @function(Pointer, Pointer)
    def clipGetPropertySet(self, handle, where_to):
        clip = self.host.handles.get(handle, Clip, "clipGetPropertySet")
        if clip is None:
            return BAD_HANDLE
        write_pointer(where_to, clip.properties.handle)
        return OK

    @function(Pointer, Double, Pointer, Pointer)
    def clipGetImage(self, handle, time, region, where_to):
        return fetch(self.host, handle, time, COLOUR, where_to, "clipGetImage")

    @function(Pointer)
    def clipReleaseImage(self, handle):
        image = self.host.images.get(handle)
        if not isinstance(image, Image):
            self.host.handles.get(handle, Image, "clipReleaseImage")
            return BAD_HANDLE
        image.release()
        return OK

    @function(Pointer, Double, Pointer)
    def clipGetRegionOfDefinition(self, handle, time, where_to):
        clip = self.host.handles.get(handle, Clip, "clipGetRegionOfDefinition")
        if clip is None:
            return BAD_HANDLE
        region = clip.region_of_definition(time)
        if region is None:
            return FAILED
        RectD.from_address(where_to).__init__(*region)
        return OK

    @function(Pointer)
    def abort(self, handle):
        effect = self.host.handles.get(handle, Effect, "abort")
        return 0 if effect is None else effect.should_abort()

    @function(Pointer, Pointer, Pointer)
    def imageMemoryAlloc(self, handle, size, where_to):
        return FAILED

    @function(Pointer)
    def imageMemoryFree(self, handle):
        return BAD_HANDLE

    @function(Pointer, Pointer)
    def imageMemoryLock(self, handle, where_to):
        return BAD_HANDLE

    @function(Pointer)
    def imageMemoryUnlock(self, handle):
        return BAD_HANDLE


def fetch(host: Any, handle: int, time: float, plane: str, where_to: int, where: str) -> int:
    """Hands out an image; only inside an action of the same effect, in the thread of that action."""
    clip = host.handles.get(handle, Clip, where)
    if clip is None:
        return BAD_HANDLE
    action, effect = host.journal.current
    if effect is not clip.effect:
        host.journal.wrong(f"{where}: an image of {clip.name} was asked for outside an action of its effect")
        return FAILED
    if action in ("OfxImageEffectActionGetClipPreferences", "OfxActionCreateInstance", "OfxActionDestroyInstance"):
        host.journal.wrong(f"{where}: no image can be had in {action}")
        return FAILED
    host.fetched.append((clip.name, time, plane))
    image = clip.image(time, clip.effect.now.scale, plane)
    if image is None:
        write_pointer(where_to, None)
        return FAILED
    host.journal.fetched(image)
    write_pointer(where_to, image.properties.handle)
    return OK


__all__ = ["Descriptor", "Effect", "ImageEffectSuite", "fetch"]
