# Natron PyPlug
"""Clean-plate key over a new background, in one group."""

from __future__ import annotations

from typing import Any

from cleanplate_groups import MERGE, PREFIX, Builder  # type: ignore[import-not-found]

SHOWN = (
    "alignPlate", "refineMode", "refineAmount", "refineThreshold", "alphaBlack", "alphaWhite", "removeIslands",
    "exposure", "inputSpace", "weights", "device",
)  # fmt: skip


def getPluginID() -> str:
    return "org.cleanplate.groups.CleanPlateKey"


def getLabel() -> str:
    return "Clean-plate Key"


def getVersion() -> int:
    return 1


def getIconPath() -> str:
    return "CleanplateKey.png"


def getGrouping() -> str:
    return "Cleanplate"


def getPluginDescription() -> str:
    return (
        "Pulls a matte of what the clean plate does not show and puts it over a new background.\n\n"
        "Connect the shot, the clean plate (a still or a sequence) and the new background. A core matte makes the "
        "subject solid where it is white, a garbage matte removes what is not wanted. A plate confidence is dark where "
        "the clean plate was painted. Without a background the result is the premultiplied foreground."
    )


def createInstance(app: Any, group: Any) -> None:
    build = Builder(app, group)
    source, plate = build.input("Source", 0), build.input("Clean plate", 200)
    background = build.input("Background", -200, optional=True)
    core = build.input("Core matte", 400, optional=True, mask=True)
    garbage = build.input("Garbage matte", 600, optional=True, mask=True)
    confidence = build.input("Plate confidence", 800, optional=True, mask=True)
    matte = build.node(f"{PREFIX}BackgroundMatte", "BackgroundMatte", 0, 150)
    build.connect(matte, source, plate, core, garbage, confidence)
    over = build.node(MERGE, "Over", 0, 300)
    build.connect(over, A=matte, B=background)
    build.output(over, 0, 450)
    build.show(matte, SHOWN)
    build.show(over, ["mix"])
    build.done()
