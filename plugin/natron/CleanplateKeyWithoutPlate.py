# Natron PyPlug
"""A matte of what a loose shape holds, without a clean plate, in one group."""

from __future__ import annotations

from typing import Any

from cleanplate_groups import MERGE, PREFIX, Builder  # type: ignore[import-not-found]

SHOWN = (
    "output", "maskThreshold", "grow", "reach", "referenceEvery", "samples", "model", "refineMode", "refineAmount",
    "refineThreshold", "softEdges", "alphaBlack", "alphaWhite", "closeHoles", "removeIslands", "exposure", "inputSpace",
    "sourceFile", "weights", "device",
)  # fmt: skip


def getPluginID() -> str:
    return "org.cleanplate.groups.KeyWithoutPlate"


def getLabel() -> str:
    return "Key Without a Plate"


def getVersion() -> int:
    return 1


def getIconPath() -> str:
    return "CleanplateKeyWithoutPlate.png"


def getGrouping() -> str:
    return "Cleanplate"


def getPluginDescription() -> str:
    return (
        "Pulls a matte of anything that moves before its background, without a clean plate, and puts it over a new "
        "background.\n\n"
        "Connect the shot and, as Rough, a Roto with a loose shape around the subject: it needs no edges, but nothing "
        "of the subject may be outside. What is behind the subject is found in other frames of the shot. Output also "
        "shows that clean plate, and where it is real. A core matte makes the subject solid where it is white, a "
        "garbage matte removes what is not wanted. Without a background the result is what Output says."
    )


def createInstance(app: Any, group: Any) -> None:
    build = Builder(app, group)
    source, rough = build.input("Source", 0), build.input("Rough", 200, mask=True)
    background = build.input("Background", -200, optional=True)
    core = build.input("Core matte", 400, optional=True, mask=True)
    garbage = build.input("Garbage matte", 600, optional=True, mask=True)
    matte = build.node(f"{PREFIX}KeyWithoutPlate", "KeyWithoutPlate", 0, 150)
    build.connect(matte, source, rough, core, garbage)
    over = build.node(MERGE, "Over", 0, 300)
    build.connect(over, A=matte, B=background)
    build.output(over, 0, 450)
    build.show(matte, SHOWN)
    build.show(over, ["mix"])
    build.done()
