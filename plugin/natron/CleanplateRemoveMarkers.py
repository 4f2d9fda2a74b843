# Natron PyPlug
"""Finds markers and wires and fills in what was behind them, in one group."""

from __future__ import annotations

from typing import Any

from cleanplate_groups import PREFIX, Builder  # type: ignore[import-not-found]

FOUND = (
    "classes",
    "threshold",
    "softness",
    "dropShort",
    "scales",
    "flip",
    "smoothFrames",
    "followMotion",
    "weights",
)
FILLED = ("model", "maskThreshold", "grow", "feather", "mode", "context", "reach", "grain", "inputSpace", "weights")


def getPluginID() -> str:
    return "org.cleanplate.groups.RemoveMarkers"


def getLabel() -> str:
    return "Remove Markers and Wires"


def getVersion() -> int:
    return 1


def getIconPath() -> str:
    return "CleanplateRemoveMarkers.png"


def getGrouping() -> str:
    return "Cleanplate"


def getPluginDescription() -> str:
    return (
        "Finds tracking markers, wires or stands and fills in what was behind them.\n\n"
        "Connect the shot. What is found is a Segment node's matte: look at it inside the group, lower its Threshold "
        "where something was missed, and use Rig Removal with a Roto for what no network finds. A Roto as Shadow "
        "covers shadows and reflections of what is removed: there the picture is relit and keeps its texture."
    )


def createInstance(app: Any, group: Any) -> None:
    build = Builder(app, group)
    source, shadow = build.input("Source", 0), build.input("Shadow", 400, optional=True, mask=True)
    segment = build.node(f"{PREFIX}Segment", "Segment", 200, 150)
    inpaint = build.node(f"{PREFIX}Inpaint", "Inpaint", 0, 300)
    segment.getParam("classes").setValue("wire, marker")
    segment.getParam("threshold").setValue(0.25)
    segment.getParam("softness").setValue(0.1)
    segment.getParam("dropShort").setValue(False)
    segment.getParam("output").set("alpha")
    build.connect(segment, source)
    build.connect(inpaint, source, segment, shadow)
    build.output(inpaint, 0, 450)
    build.show(segment, FOUND)
    build.show(inpaint, FILLED)
    build.done()
