"""The property sets of OpenFX 1.4, and of the Nuke and Natron extensions, as tables.

A line is: name, type and count (`i1`, `d4`, `s*`: any number), `r` (the plug-in may only read) or `w`, the default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

BIG = 1.7976931348623157e308


@dataclass(frozen=True)
class Definition:
    name: str
    type: str
    count: int
    writable: bool
    default: tuple[Any, ...]


def table(text: str) -> dict[str, Definition]:
    found = {}
    for line in text.strip().splitlines():
        name, form, access, *default = line.split()
        kind, count = form[0], 0 if form[1] == "*" else int(form[1])
        convert = {"i": int, "d": float, "s": lambda word: word.replace('""', ""), "p": int}[kind]
        values = [convert(word) for word in default] or ([] if count == 0 else [convert("0" if kind != "s" else '""')])
        if count and len(values) == 1:
            values *= count
        found[name] = Definition(name, kind, count, access == "w", tuple(values))
    return found


HOST = table("""
OfxPropAPIVersion i* r 1 4
OfxPropType s1 r OfxTypeImageEffectHost
OfxPropName s1 r
OfxPropLabel s1 r
OfxPropVersion i* r 1 0 0
OfxPropVersionLabel s1 r
OfxImageEffectHostPropIsBackground i1 r
OfxImageEffectPropSupportsOverlays i1 r
OfxImageEffectPropSupportsMultiResolution i1 r
OfxImageEffectPropSupportsTiles i1 r
OfxImageEffectPropTemporalClipAccess i1 r
OfxImageEffectPropSupportedComponents s* r
OfxImageEffectPropSupportedContexts s* r
OfxImageEffectPropSupportedPixelDepths s* r
OfxImageEffectPropMultipleClipDepths i1 r
OfxImageEffectPropSupportsMultipleClipPARs i1 r
OfxImageEffectPropSetableFrameRate i1 r
OfxImageEffectPropSetableFielding i1 r
OfxParamHostPropSupportsCustomInteract i1 r
OfxParamHostPropSupportsStringAnimation i1 r
OfxParamHostPropSupportsChoiceAnimation i1 r
OfxParamHostPropSupportsBooleanAnimation i1 r
OfxParamHostPropSupportsCustomAnimation i1 r
OfxParamHostPropMaxParameters i1 r -1
OfxParamHostPropMaxPages i1 r
OfxParamHostPropPageRowColumnCount i2 r
OfxImageEffectInstancePropSequentialRender i1 r
OfxImageEffectPropOpenGLRenderSupported s1 r false
OfxImageEffectPropRenderQualityDraft i1 r
OfxImageEffectHostPropNativeOrigin s1 r kOfxImageEffectHostPropNativeOriginBottomLeft
OfxPropHostOSHandle p1 r
""")

EFFECT_DESCRIPTOR = table("""
OfxPropType s1 r OfxTypeImageEffect
OfxPropLabel s1 w
OfxPropShortLabel s1 w
OfxPropLongLabel s1 w
OfxPropVersion i* w 0
OfxPropVersionLabel s1 w
OfxPropPluginDescription s1 w
OfxPropIcon s2 w
OfxImageEffectPropSupportedContexts s* w
OfxImageEffectPluginPropGrouping s1 w
OfxImageEffectPluginPropObsolete i1 w
OfxImageEffectPluginPropSingleInstance i1 w
OfxImageEffectPluginRenderThreadSafety s1 w OfxImageEffectRenderInstanceSafe
OfxImageEffectPluginPropHostFrameThreading i1 w 1
OfxImageEffectPluginPropOverlayInteractV1 p1 w
OfxImageEffectPropSupportsMultiResolution i1 w 1
OfxImageEffectPropSupportsTiles i1 w 1
OfxImageEffectPropTemporalClipAccess i1 w
OfxImageEffectPropSupportedPixelDepths s* w
OfxImageEffectPluginPropFieldRenderTwiceAlways i1 w 1
OfxImageEffectPropMultipleClipDepths i1 w
OfxImageEffectPropSupportsMultipleClipPARs i1 w
OfxImageEffectPropClipPreferencesSlaveParam s* w
OfxImageEffectPropOpenGLRenderSupported s1 w false
OfxImageEffectInstancePropSequentialRender i1 w
OfxPluginPropFilePath s1 r
""")

EFFECT_INSTANCE = table("""
OfxPropType s1 r OfxTypeImageEffectInstance
OfxImageEffectPropContext s1 r
OfxPropInstanceData p1 w
OfxImageEffectPropPluginHandle p1 r
OfxImageEffectPropProjectSize d2 r
OfxImageEffectPropProjectOffset d2 r
OfxImageEffectPropProjectExtent d2 r
OfxImageEffectPropPixelAspectRatio d1 r 1
OfxImageEffectInstancePropEffectDuration d1 r
OfxImageEffectInstancePropSequentialRender i1 w
OfxImageEffectPropSupportsTiles i1 w 1
OfxImageEffectPropOpenGLRenderSupported s1 w false
OfxImageEffectPropFrameRate d1 r
OfxPropIsInteractive i1 r
OfxPluginPropFilePath s1 r
""")

CLIP_DESCRIPTOR = table("""
OfxPropType s1 r OfxTypeClip
OfxPropName s1 r
OfxPropLabel s1 w
OfxPropShortLabel s1 w
OfxPropLongLabel s1 w
OfxImageEffectPropSupportedComponents s* w
OfxImageEffectPropTemporalClipAccess i1 w
OfxImageClipPropOptional i1 w
OfxImageClipPropFieldExtraction s1 w OfxFieldDoubled
OfxImageClipPropIsMask i1 w
OfxImageEffectPropSupportsTiles i1 w 1
""")

CLIP_INSTANCE = {
    **{name: Definition(d.name, d.type, d.count, False, d.default) for name, d in CLIP_DESCRIPTOR.items()},
    **table("""
OfxImageEffectPropPixelDepth s1 r OfxBitDepthFloat
OfxImageEffectPropComponents s1 r OfxImageComponentRGBA
OfxImageClipPropUnmappedPixelDepth s1 r OfxBitDepthFloat
OfxImageClipPropUnmappedComponents s1 r OfxImageComponentRGBA
OfxImageEffectPropPreMultiplication s1 r OfxImageAlphaPremultiplied
OfxImagePropPixelAspectRatio d1 r 1
OfxImageEffectPropFrameRate d1 r 24
OfxImageEffectPropFrameRange d2 r
OfxImageClipPropFieldOrder s1 r OfxFieldNone
OfxImageClipPropConnected i1 r
OfxImageEffectPropUnmappedFrameRange d2 r
OfxImageEffectPropUnmappedFrameRate d1 r 24
OfxImageClipPropContinuousSamples i1 r
"""),
}

IMAGE = table("""
OfxPropType s1 r OfxTypeImage
OfxImageEffectPropPixelDepth s1 r OfxBitDepthFloat
OfxImageEffectPropComponents s1 r OfxImageComponentRGBA
OfxImageEffectPropPreMultiplication s1 r OfxImageAlphaPremultiplied
OfxImageEffectPropRenderScale d2 r 1
OfxImagePropPixelAspectRatio d1 r 1
OfxImagePropData p1 r
OfxImagePropBounds i4 r
OfxImagePropRegionOfDefinition i4 r
OfxImagePropRowBytes i1 r
OfxImagePropField s1 r OfxFieldNone
OfxImagePropUniqueIdentifier s1 r
""")

PARAM_SET = table("""
OfxPropParamSetNeedsSyncing i1 w
OfxPluginPropParamPageOrder s* w
""")

PARAM = table("""
OfxPropType s1 r OfxTypeParameter
OfxPropName s1 r
OfxPropLabel s1 w
OfxPropShortLabel s1 w
OfxPropLongLabel s1 w
OfxParamPropType s1 r
OfxParamPropSecret i1 w
OfxParamPropHint s1 w
OfxParamPropScriptName s1 w
OfxParamPropParent s1 w
OfxParamPropEnabled i1 w 1
OfxParamPropDataPtr p1 w
OfxPropIcon s2 w
""")

VALUE = table("""
OfxParamPropAnimates i1 w 1
OfxParamPropIsAnimating i1 r
OfxParamPropIsAutoKeying i1 r
OfxParamPropPersistant i1 w 1
OfxParamPropEvaluateOnChange i1 w 1
OfxParamPropPluginMayWrite i1 w
OfxParamPropCacheInvalidation s1 w OfxParamInvalidateValueChange
OfxParamPropCanUndo i1 w 1
""")

# What each type of parameter has beside PARAM, and beside VALUE where it holds a value.
PARAM_TYPES = {
    "OfxParamTypeInteger": table("""
OfxParamPropDefault i1 w
OfxParamPropMin i1 w -2147483648
OfxParamPropMax i1 w 2147483647
OfxParamPropDisplayMin i1 w -2147483648
OfxParamPropDisplayMax i1 w 2147483647
"""),
    "OfxParamTypeDouble": table(f"""
OfxParamPropDefault d1 w
OfxParamPropMin d1 w -{BIG}
OfxParamPropMax d1 w {BIG}
OfxParamPropDisplayMin d1 w -{BIG}
OfxParamPropDisplayMax d1 w {BIG}
OfxParamPropIncrement d1 w 1
OfxParamPropDigits i1 w 2
OfxParamPropDoubleType s1 w OfxParamDoubleTypePlain
OfxParamPropShowTimeMarker i1 w
"""),
    "OfxParamTypeBoolean": table("OfxParamPropDefault i1 w"),
    "OfxParamTypeChoice": table("""
OfxParamPropDefault i1 w
OfxParamPropChoiceOption s* w
"""),
    "OfxParamTypeString": table("""
OfxParamPropDefault s1 w
OfxParamPropStringMode s1 w OfxParamStringIsSingleLine
OfxParamPropStringFilePathExists i1 w 1
"""),
    "OfxParamTypeCustom": table("""
OfxParamPropDefault s1 w
OfxParamPropCustomCallbackV1 p1 w
"""),
    "OfxParamTypePushButton": {},
    "OfxParamTypeGroup": table("OfxParamPropGroupOpen i1 w 1"),
    "OfxParamTypePage": table("OfxParamPropPageChild s* w"),
}
WITHOUT_VALUE = ("OfxParamTypePushButton", "OfxParamTypeGroup", "OfxParamTypePage")

# What hosts with the Nuke and Natron extensions add to the sets; others answer kOfxStatErrUnknown.
EXTENSIONS = {
    "host": table("""
uk.co.thefoundry.OfxImageEffectPropMultiPlanar i1 r 1
NatronOfxHostIsNatron i1 r 1
NatronOfxParamHostPropSupportsDynamicChoices i1 r 1
NatronOfxImageEffectPropChannelSelector s1 r OfxImageComponentRGBA
kNatronOfxImageEffectPropHostMasking i1 r 1
kNatronOfxImageEffectPropHostMixing i1 r 1
NatronOfxPropDescriptionIsMarkdown i1 r 1
"""),
    "effect descriptor": table("""
uk.co.thefoundry.OfxImageEffectPropMultiPlanar i1 w
uk.co.thefoundry.OfxImageEffectPropPassThroughComponents i1 w
uk.co.thefoundry.OfxImageEffectPropViewAware i1 w
uk.co.thefoundry.OfxImageEffectPropViewInvariance i1 w
OfxImageEffectPropRenderAllPlanes i1 w
FnOfxImageEffectCanTransform i1 w
NatronOfxImageEffectPropChannelSelector s1 w OfxImageComponentRGBA
kNatronOfxImageEffectPropHostMasking i1 w
kNatronOfxImageEffectPropHostMixing i1 w
NatronOfxPropDescriptionIsMarkdown i1 w
NatronOfxImageEffectPropDeprecated i1 w
"""),
    "effect instance": table("NatronOfxExtraCreatedPlanes s* r"),
    "clip": table("""
uk.co.thefoundry.OfxImageEffectClipPropPlanesPresent s* r
OfxImageClipPropFormat i4 r
"""),
    "parameter": table("""
OfxParamPropLayoutHint i1 w
OfxParamPropLayoutPadWidth i1 w
NatronOfxParamPropIsInstanceSpecific i1 w
NatronOfxPropDescriptionIsMarkdown i1 w
"""),
    "choice": table("OfxParamPropChoiceEnum s* w"),
    "render": table("OfxImageEffectPropRenderPlanes s* r\nuk.co.thefoundry.OfxImageEffectPropView i1 r"),
}

ALLOWED = {
    "OfxImageEffectPluginRenderThreadSafety": {
        "OfxImageEffectRenderUnsafe",
        "OfxImageEffectRenderInstanceSafe",
        "OfxImageEffectRenderFullySafe",
    },
    "OfxImageEffectPropSupportedContexts": {"OfxImageEffectContextGeneral", "OfxImageEffectContextFilter"},
    "OfxImageEffectPropSupportedPixelDepths": {"OfxBitDepthFloat"},
    "OfxImageEffectPropPreMultiplication": {
        "OfxImageOpaque",
        "OfxImageAlphaPremultiplied",
        "OfxImageAlphaUnPremultiplied",
    },
    "OfxImageClipPropFieldExtraction": {"OfxFieldBoth", "OfxFieldSingle", "OfxFieldDoubled"},
    "OfxParamPropStringMode": {
        f"OfxParamStringIs{mode}"
        for mode in ("SingleLine", "MultiLine", "FilePath", "DirectoryPath", "Label", "RichTextFormat")
    },
    "OfxParamPropCacheInvalidation": {
        "OfxParamInvalidateValueChange",
        "OfxParamInvalidateValueChangeToEnd",
        "OfxParamInvalidateAll",
    },
}

EXTENSION_NAMES = {name for known in EXTENSIONS.values() for name in known}
EVERY_NAME = EXTENSION_NAMES | {
    name
    for known in (
        HOST,
        EFFECT_DESCRIPTOR,
        EFFECT_INSTANCE,
        CLIP_INSTANCE,
        IMAGE,
        PARAM_SET,
        PARAM,
        VALUE,
        *PARAM_TYPES.values(),
    )
    for name in known
}
