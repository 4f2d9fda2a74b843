"""Hosts to imitate: Natron as it was measured, and a poorer one that keeps to the letter of the standard."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ofx_host.images import Layout

GENERAL, FILTER = "OfxImageEffectContextGeneral", "OfxImageEffectContextFilter"


@dataclass(frozen=True)
class Profile:
    """`extensions`: those of Nuke and Natron, the plane suite included. `suites`: those that are missing."""

    name: str
    extensions: bool
    context: str = GENERAL
    layout: Layout = field(default_factory=Layout)
    properties: dict[str, Any] = field(default_factory=dict)
    missing_suites: frozenset[tuple[str, int]] = frozenset()


_COMMON = {
    "OfxImageEffectPropSupportedPixelDepths": ["OfxBitDepthFloat", "OfxBitDepthShort", "OfxBitDepthByte"],
    "OfxImageEffectPropTemporalClipAccess": 1,
    "OfxPropVersion": [2, 6, 0],
}

NATRON = Profile(
    "fr.inria.Natron",
    extensions=True,
    properties={
        **_COMMON,
        "OfxImageEffectHostPropIsBackground": 1,
        "OfxImageEffectPropSupportsOverlays": 1,
        "OfxImageEffectPropSupportsMultiResolution": 1,
        "OfxImageEffectPropSupportsTiles": 1,
        "OfxImageEffectPropMultipleClipDepths": 1,
        "OfxImageEffectPropSupportsMultipleClipPARs": 1,
        "OfxImageEffectPropSetableFrameRate": 1,
        "OfxImageEffectPropSupportedComponents": [
            *(f"OfxImageComponent{c}" for c in ("RGBA", "Alpha", "RGB")),
            "uk.co.thefoundry.OfxImageComponentMotionVectors",
            "NatronOfxImageComponentXY",
        ],
        "OfxImageEffectPropSupportedContexts": [
            f"OfxImageEffectContext{c}" for c in ("Generator", "Filter", "General", "Transition")
        ],
        "OfxParamHostPropSupportsStringAnimation": 1,
        "OfxParamHostPropSupportsChoiceAnimation": 1,
        "OfxParamHostPropSupportsBooleanAnimation": 1,
        "OfxParamHostPropSupportsCustomAnimation": 1,
        "OfxImageEffectInstancePropSequentialRender": 2,
        "OfxImageEffectPropOpenGLRenderSupported": "true",
        "OfxImageEffectPropRenderQualityDraft": 1,
    },
)

# No planes, no tiles, no multiresolution, no persistent messages, rows from the top with padding between them.
PLAIN = Profile(
    "org.example.PlainHost",
    extensions=False,
    layout=Layout(padding=5, top_first=True),
    properties={
        **_COMMON,
        "OfxImageEffectPropSupportedComponents": ["OfxImageComponentRGBA", "OfxImageComponentAlpha"],
        "OfxImageEffectPropSupportedContexts": [FILTER, GENERAL],
    },
    missing_suites=frozenset({("OfxMessageSuite", 2), ("OfxProgressSuite", 1), ("OfxTimeLineSuite", 1)}),
)
