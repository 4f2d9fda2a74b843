# Natron PyPlug
"""Removal of wires, markers and stands, in one group."""

from __future__ import annotations

from typing import Any

from cleanplate_groups import PREFIX, Builder  # type: ignore[import-not-found]

SHOWN = (
    "model", "workingSize", "maskThreshold", "grow", "feather", "mode", "context", "reach", "grain", "inputSpace",
    "weights", "device",
)  # fmt: skip


def getPluginID() -> str:
    return "org.cleanplate.groups.RigRemoval"


def getLabel() -> str:
    return "Rig Removal"


def getVersion() -> int:
    return 1


def getIconPath() -> str:
    return "CleanplateRigRemoval.png"


def getGrouping() -> str:
    return "Cleanplate"


def getPluginDescription() -> str:
    return (
        "Fills what a mask covers, for instance a wire, a marker or a stand, with what may have been behind it.\n\n"
        "Connect the shot and, as Mask, a Roto that covers the rig with a few pixels to spare: what the mask's edge "
        "leaves of the rig or of its shadow bleeds into the fill. A second Roto, as Shadow, covers the shadow or the "
        "reflection of the rig: there the picture is relit and keeps its texture. Pixels outside the masks stay "
        "as they are."
    )


def createInstance(app: Any, group: Any) -> None:
    build = Builder(app, group)
    source, mask = build.input("Source", 0), build.input("Mask", 200, mask=True)
    shadow = build.input("Shadow", 400, optional=True, mask=True)
    inpaint = build.node(f"{PREFIX}Inpaint", "Inpaint", 0, 150)
    build.connect(inpaint, source, mask, shadow)
    build.output(inpaint, 0, 300)
    build.show(inpaint, SHOWN)
    build.done()
