"""A node in a graph: connections, parameters, and renders as a host asks for them."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ofx_host.abi import OK
from ofx_host.clips import COLOUR, Footage, plane_channels
from ofx_host.effect import Effect
from ofx_host.images import Buffer
from ofx_host.standard import EXTENSIONS

Window = tuple[int, int, int, int]
NEEDED = "uk.co.thefoundry.OfxNeededComp_"


class Node:
    """An instance and the render clones made of it."""

    def __init__(self, plugin: Any, effect: Effect) -> None:
        self.plugin, self.host, self.effect = plugin, plugin.host, effect
        self.clones: list[Effect] = []
        self.frame_varying = False
        self._lock = threading.Lock()
        effect.on_edit = lambda name: self.changed(name, "OfxChangePluginEdited")

    def connect(self, name: str, footage: Footage | None) -> None:
        """Connects or disconnects an input, and asks for the preferences that follow from it."""
        for effect in (self.effect, *self.clones):
            effect.clips[name].connect(footage)
        self.changed(name, "OfxChangeUserEdited", "OfxTypeClip")
        self.prefer()

    def set(self, **values: Any) -> None:
        """Sets parameters as a user would; choices by their label."""
        for name, value in values.items():
            param = self.effect.params[name]
            if param.type == "OfxParamTypeChoice" and isinstance(value, str):
                value = param.options.index(value)
            param.value.constant = value
            self.changed(name, "OfxChangeUserEdited")
            if name in self.effect.descriptor.properties.values["OfxImageEffectPropClipPreferencesSlaveParam"]:
                self.prefer()

    def key(self, name: str, keys: dict[float, Any]) -> None:
        """Animates a parameter."""
        self.effect.params[name].value.keys = dict(keys)
        self.changed(name, "OfxChangeUserEdited")

    def get(self, name: str) -> Any:
        param = self.effect.params[name]
        return param.options[param.value.constant] if param.options else param.value.constant

    def push(self, name: str) -> None:
        """Presses a button."""
        self.changed(name, "OfxChangeUserEdited")

    def changed(self, name: str, reason: str, kind: str = "OfxTypeParameter") -> None:
        ends = self.plugin.arguments("change", OfxPropChangeReason=reason)
        given = self.plugin.arguments(
            "change", OfxPropType=kind, OfxPropName=name, OfxPropChangeReason=reason, OfxPropTime=float(self.host.time),
            OfxImageEffectPropRenderScale=[1.0, 1.0],
        )  # fmt: skip
        self.plugin.must("OfxActionBeginInstanceChanged", self.effect, ends)
        self.plugin.must("OfxActionInstanceChanged", self.effect, given)
        self.plugin.must("OfxActionEndInstanceChanged", self.effect, ends)
        for properties in (ends, given):
            properties.let_go()

    def prefer(self) -> None:
        """GetClipPreferences, and what follows from it for the clips."""
        clips = self.effect.clips
        source = clips["Source"].properties
        defaults: dict[str, Any] = {
            "OfxImageEffectPropFrameRate": 24.0,
            "OfxImageClipPropFieldOrder": "OfxFieldNone",
            "OfxImageEffectPropPreMultiplication": source["OfxImageEffectPropPreMultiplication"],
            "OfxImageClipPropContinuousSamples": 0,
            "OfxImageEffectFrameVarying": 0,
        }
        for name, clip in clips.items():
            components = clips["Source"].properties["OfxImageEffectPropComponents"] if clip.is_output else None
            defaults[f"OfxImageClipPropComponents_{name}"] = (
                clip.mapped(components) if components else clip.properties["OfxImageEffectPropComponents"]
            )
            defaults[f"OfxImageClipPropDepth_{name}"] = "OfxBitDepthFloat"
            # The output has the source's pixel aspect unless the plug-in says otherwise.
            like = source if clip.is_output else clip.properties
            defaults[f"OfxImageClipPropPAR_{name}"] = like["OfxImagePropPixelAspectRatio"]
        answer = self.plugin.arguments("answer to GetClipPreferences", **defaults)
        self.plugin.must("OfxImageEffectActionGetClipPreferences", self.effect, None, answer)
        self.frame_varying = bool(answer["OfxImageEffectFrameVarying"])
        for effect in (self.effect, *self.clones):
            for name, clip in effect.clips.items():
                chosen = answer[f"OfxImageClipPropComponents_{name}"]
                if chosen not in clip.supported:
                    self.host.journal.wrong(f"clip {name} is to be {chosen}, which it does not support")
                clip.properties.put("OfxImageEffectPropComponents", chosen)
                clip.properties.put("OfxImagePropPixelAspectRatio", answer[f"OfxImageClipPropPAR_{name}"])
            effect.clips["Output"].properties.put(
                "OfxImageEffectPropPreMultiplication", answer["OfxImageEffectPropPreMultiplication"]
            )
        answer.let_go()

    def region_of_definition(self, time: float, scale: tuple[float, float] = (1.0, 1.0)) -> tuple[float, ...]:
        """In canonical coordinates; where the plug-in leaves it to the host, the union of the inputs it must have."""
        regions = [
            clip.region_of_definition(time)
            for name, clip in self.effect.clips.items()
            if clip.connected and (name == "Source" or not clip.properties["OfxImageClipPropOptional"])
        ]
        known = [r for r in regions if r is not None]
        default = [f(r[i] for r in known) if known else 0.0 for i, f in enumerate((min, min, max, max))]
        given = self.plugin.arguments("question", OfxPropTime=float(time), OfxImageEffectPropRenderScale=list(scale))
        answer = self.plugin.arguments("answer", OfxImageEffectPropRegionOfDefinition=default)
        self.plugin.must("OfxImageEffectActionGetRegionOfDefinition", self.effect, given, answer)
        region = tuple(answer["OfxImageEffectPropRegionOfDefinition"])
        given.let_go()
        answer.let_go()
        return region

    def pixel_window(self, time: float, scale: tuple[float, float] = (1.0, 1.0)) -> Window:
        """The region of definition in pixels."""
        x1, y1, x2, y2 = self.region_of_definition(time, scale)
        aspect = self.effect.clips["Output"].properties["OfxImagePropPixelAspectRatio"]
        low, high = math.floor, math.ceil
        return (
            low(x1 * scale[0] / aspect),
            low(y1 * scale[1]),
            high(x2 * scale[0] / aspect),
            high(y2 * scale[1]),
        )

    def regions_of_interest(self, time: float, region: Sequence[float]) -> dict[str, tuple[float, ...]]:
        names = [name for name in self.effect.clips if name != "Output"]
        given = self.plugin.arguments(
            "question", OfxPropTime=float(time), OfxImageEffectPropRenderScale=[1.0, 1.0],
            OfxImageEffectPropRegionOfInterest=[float(v) for v in region],
        )  # fmt: skip
        default = {f"OfxImageClipPropRoI_{name}": [float(v) for v in region] for name in names}
        answer = self.plugin.arguments("answer", **default)
        self.plugin.must("OfxImageEffectActionGetRegionsOfInterest", self.effect, given, answer)
        found = {name: tuple(answer[f"OfxImageClipPropRoI_{name}"]) for name in names}
        given.let_go()
        answer.let_go()
        return found

    def frames_needed(self, time: float) -> dict[str, list[float]]:
        """Pairs of first and last frame per input."""
        names = [name for name in self.effect.clips if name != "Output"]
        given = self.plugin.arguments("question", OfxPropTime=float(time))
        default = {f"OfxImageClipPropFrameRange_{name}": [float(time), float(time)] for name in names}
        answer = self.plugin.arguments("list answer", **default)
        self.plugin.must("OfxImageEffectActionGetFramesNeeded", self.effect, given, answer)
        found = {name: list(answer[f"OfxImageClipPropFrameRange_{name}"]) for name in names}
        given.let_go()
        answer.let_go()
        for name, frames in found.items():
            if len(frames) % 2 or any(first > last for first, last in zip(frames[::2], frames[1::2], strict=True)):
                self.host.journal.wrong(f"the frames needed of {name} are {frames}")
        return found

    def planes(self, time: float) -> list[str]:
        """The planes that the node makes, where the host has planes; wrong is what Natron would take amiss."""
        made_by = self.effect.descriptor.properties
        host_mask = {"Mask"} if made_by.values.get("kNatronOfxImageEffectPropHostMasking") == [1] else set()
        default: dict[str, Any] = {f"{NEEDED}{name}": [] for name in (*self.effect.clips, *host_mask)}
        passing = {
            "uk.co.thefoundry.ImageEffectPropPassThroughClip": "",
            "uk.co.thefoundry.ImageEffectPropPassThroughTime": float(time),
            "uk.co.thefoundry.ImageEffectPropPassThroughView": 0,
        }
        answer = self.plugin.arguments("list answer", **default, **passing)
        for name in passing:
            answer.definitions[name] = answer.definitions[name].__class__(
                name, answer.definitions[name].type, 1, True, ()
            )
        given = self.plugin.arguments("question", OfxPropTime=float(time))
        action = "uk.co.thefoundry.OfxImageEffectActionGetClipComponents"
        made = [COLOUR]
        if self.plugin.act(action, self.effect, given, answer) == OK:
            made = list(answer[f"{NEEDED}Output"])
            for name, clip in self.effect.clips.items():
                if clip.properties["OfxImageClipPropIsMask"] and answer[f"{NEEDED}{name}"]:
                    self.host.journal.wrong(f"Natron takes alpha, whichever channel was chosen, for the mask {name}")
            if host_mask and not answer[f"{NEEDED}Mask"]:
                self.host.journal.wrong("Natron does not fetch its own mask")
        given.let_go()
        answer.let_go()
        return made

    def clone(self) -> Effect:
        """A render clone, made in the calling thread as Natron does."""
        effect = Effect(self.host, self.effect.descriptor, self.effect.context, self.effect)
        for name, clip in self.effect.clips.items():
            effect.clips[name].properties.values |= {k: list(v) for k, v in clip.properties.values.items()}
        effect.abort_when = lambda polls: self.effect.abort_when(polls)
        with self._lock:
            self.clones.append(effect)
        self.plugin.must("OfxActionCreateInstance", effect)
        return effect

    def render(
        self,
        time: float,
        window: Window | None = None,
        scale: tuple[float, float] = (1.0, 1.0),
        on: Effect | None = None,
        interactive: bool = False,
    ) -> np.ndarray:
        """The colour plane of a frame, top row first."""
        return self.render_planes(time, [COLOUR], window, scale, on, interactive)[COLOUR]

    def render_planes(
        self,
        time: float,
        planes: Sequence[str],
        window: Window | None = None,
        scale: tuple[float, float] = (1.0, 1.0),
        on: Effect | None = None,
        interactive: bool = False,
        before_render: Callable[[], None] = lambda: None,
    ) -> dict[str, np.ndarray]:
        """Renders a frame as Natron does: a sequence of its own, around an identity test and the render."""
        effect = on or self.effect
        window = window or self.pixel_window(time, scale)
        self.frames_needed(time)
        self.regions_of_interest(time, self.region_of_definition(time))
        components = effect.clips["Output"].properties["OfxImageEffectPropComponents"]
        height, width = window[3] - window[1], window[2] - window[0]
        outputs = {
            plane: Buffer(height, width, plane_channels(plane, components), self.host.profile.layout)
            for plane in planes
        }
        effect.now.window, effect.now.scale, effect.now.outputs = window, scale, outputs
        common: dict[str, Any] = {
            "OfxImageEffectPropRenderScale": list(scale),
            "OfxImageEffectPropSequentialRenderStatus": 0 if interactive else 1,
            "OfxImageEffectPropInteractiveRenderStatus": int(interactive),
        }
        sequence = self.plugin.arguments(
            "sequence", **common, OfxImageEffectPropFrameRange=[float(time)] * 2, OfxImageEffectPropFrameStep=1.0,
            OfxPropIsInteractive=int(interactive),
        )  # fmt: skip
        given = self.plugin.arguments(
            "render arguments", **common, OfxPropTime=float(time), OfxImageEffectPropFieldToRender="OfxFieldNone",
            OfxImageEffectPropRenderWindow=list(window), OfxImageEffectPropRenderQualityDraft=0,
        )  # fmt: skip
        if self.host.profile.extensions:
            for definition in EXTENSIONS["render"].values():
                given.define(definition)
            given.put("OfxImageEffectPropRenderPlanes", list(planes))
        answer = self.plugin.arguments("answer to IsIdentity", OfxPropName="", OfxPropTime=float(time))
        self.plugin.must("OfxImageEffectActionBeginSequenceRender", effect, sequence)
        try:
            if self.plugin.must("OfxImageEffectActionIsIdentity", effect, given, answer) == OK:
                raise NotImplementedError(f"the node is the identity of {answer['OfxPropName']}")
            before_render()
            self.plugin.must("OfxImageEffectActionRender", effect, given)
        finally:
            self.plugin.must("OfxImageEffectActionEndSequenceRender", effect, sequence)
            effect.now.outputs = {}
            for properties in (sequence, given, answer):
                properties.let_go()
            for buffer in outputs.values():
                if not buffer.intact():
                    self.host.journal.wrong("the plug-in wrote outside its output")
        return {plane: buffer.pixels.copy() for plane, buffer in outputs.items()}

    def destroy(self) -> None:
        """Destroys the instance and its clones."""
        for effect in (*self.clones, self.effect):
            self.plugin.must("OfxActionDestroyInstance", effect)
            effect.let_go()
        self.clones.clear()
        self.plugin.nodes.remove(self)
