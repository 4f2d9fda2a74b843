"""What a description must be like, whatever the plug-in."""

from __future__ import annotations

from ofx_host import standard
from ofx_host.effect import Descriptor
from ofx_host.journal import Journal
from ofx_host.params import Param

MANDATORY = (
    "OfxPropLabel",
    "OfxImageEffectPropSupportedContexts",
    "OfxImageEffectPropSupportedPixelDepths",
    "OfxImageEffectPluginPropGrouping",
)


def check_description(made: Descriptor, journal: Journal) -> None:
    """Writes down what contradicts itself or is missing."""
    for name in MANDATORY:
        if not made.properties.values[name] or made.properties.values[name] == [""]:
            journal.wrong(f"{name} is not set")
    if "Output" not in made.clips:
        journal.wrong("there is no clip Output")
    for name, clip in made.clips.items():
        if not clip.properties["OfxImageEffectPropSupportedComponents"]:
            journal.wrong(f"clip {name} supports no components")
    for param in made.params.params.values():
        _check_param(param, made, journal)
    on_pages = [child for page in _of(made, "OfxParamTypePage") for child in page.properties["OfxParamPropPageChild"]]
    for child in on_pages:
        if child not in made.params.params and not child.startswith("OfxParamPageSkip"):
            journal.wrong(f"a page holds {child}, which is no parameter")
    if len(set(on_pages)) != len(on_pages):
        journal.wrong("a parameter is on two pages")


def _of(made: Descriptor, kind: str) -> list[Param]:
    return [param for param in made.params.params.values() if param.type == kind]


def _check_param(param: Param, made: Descriptor, journal: Journal) -> None:
    get, name = param.properties.values, param.name
    parent = get["OfxParamPropParent"][0]
    if parent and (parent not in made.params.params or made.params[parent].type != "OfxParamTypeGroup"):
        journal.wrong(f"{name} is in {parent}, which is no group")
    if param.type in standard.WITHOUT_VALUE:
        return
    default = get["OfxParamPropDefault"][0]
    if param.type == "OfxParamTypeChoice":
        if not 0 <= default < len(param.options):
            journal.wrong(f"{name} has the default {default} among {len(param.options)} choices")
        if len(set(param.options)) != len(param.options) or "" in param.options:
            journal.wrong(f"{name} has choices of the same name or without one")
    if "OfxParamPropMin" in get:
        low, high, shown_low, shown_high = (
            get[f"OfxParamProp{end}"][0] for end in ("Min", "Max", "DisplayMin", "DisplayMax")
        )
        if not low <= default <= high:
            journal.wrong(f"{name} has the default {default} outside {low}..{high}")
        if not low <= shown_low < shown_high <= high:
            journal.wrong(f"{name} shows {shown_low}..{shown_high} of {low}..{high}")
        if any(
            f"OfxParamProp{end}" not in param.properties.touched for end in ("Min", "Max", "DisplayMin", "DisplayMax")
        ):
            journal.wrong(f"{name} lacks a range or a display range, which Resolve wants on every number")
