# Natron PyPlug
"""A matte or a clean-up of any subject, learned from a few key frames, in one group."""

from __future__ import annotations

import inspect
from typing import Any

import cleanplate_learn_panel as panel  # type: ignore[import-not-found]
import cleanplate_learning  # type: ignore[import-not-found]
import cleanplate_writing  # type: ignore[import-not-found]
from cleanplate_groups import PREFIX, Builder  # type: ignore[import-not-found]

SHOWN = (
    "output", "showKeys", "alphaBlack", "alphaWhite", "removeIslands", "softEdges", "changeThreshold", "changeFeather",
    "exposure", "inputSpace", "device",
)  # fmt: skip
# What the group remembers for the node inside: a project that is opened again builds that one anew.
REMEMBERED = ("weights", "disableNode", panel.NEWEST)

# Natron 2.6 asks this of Python before it calls `changed` and `written`; Python 3.11 has it no more.
if not hasattr(inspect, "getargspec"):
    inspect.getargspec = inspect.getfullargspec  # type: ignore[attr-defined]


def getPluginID() -> str:
    return "org.cleanplate.groups.Learn"


def getLabel() -> str:
    return "Learn"


def getVersion() -> int:
    return 1


def getIconPath() -> str:
    return "CleanplateLearn.png"


def getGrouping() -> str:
    return "Cleanplate"


def getPluginDescription() -> str:
    return (
        "Learns the matte of any subject, or a clean-up, from a few frames that you paint, for the whole shot.\n\n"
        "1. Connect the shot to Source. Connect a Roto or RotoPaint to Keys and draw the subject at a few frames, for "
        "instance the first, the last and two between.\n"
        "2. Write these frames under Key frames, or leave it empty: the frames at which the shapes of the Roto have "
        "keys are taken.\n"
        "3. Press Learn. Until something is learned you see the source; then the viewer follows what is learned.\n"
        "4. The status names the frame where another key helps most. Paint it, add it, press Learn again: it goes on "
        "from what it knows.\n\n"
        "Learning is a process of its own. It makes way for renders, and goes on when Natron is closed."
    )


def createInstance(app: Any, group: Any) -> None:
    build = Builder(app, group)
    source, keys = build.input("Source", 0), build.input("Keys", 200, optional=True)
    plate = build.input("Clean plate", -200, optional=True)
    core = build.input("Core matte", 400, optional=True, mask=True)
    garbage = build.input("Garbage matte", 600, optional=True, mask=True)
    learned = build.node(f"{PREFIX}Learned", "Learned", 0, 200)
    build.connect(learned, source, plate, core, garbage, keys)
    learned.getParam("disableNode").set(True)
    panel.make_newest(learned)
    build.output(learned, 0, 350)
    panel.make_panel(group, build.page, learned)
    build.show(learned, SHOWN)
    build.show(learned, REMEMBERED, hidden=True)
    build.done()
    group.getParam("onParamChanged").set("CleanplateLearn.changed")


def changed(thisParam: Any, thisNode: Any, thisGroup: Any, app: Any, userEdited: bool) -> None:
    """Natron calls this with arguments of these names when a parameter of the group changes."""
    cleanplate_learning.pressed(thisParam.getScriptName(), thisNode, app)


def written(aborted: bool, thisNode: Any, app: Any) -> None:
    """Natron calls this with arguments of these names, in a thread of its own, when a Write node is done."""
    cleanplate_writing.note_written(thisNode.getScriptName())
