"""The panel of the group Learn. Runs in Natron's own Python."""

from __future__ import annotations

from typing import Any

import NatronEngine  # type: ignore[import-not-found]
from cleanplate_learn_words import FIRST_WORDS, in_lines  # type: ignore[import-not-found]
from cleanplate_learning import TAUGHT  # type: ignore[import-not-found]

# A text of the node inside that changes with the weights: Natron keeps pictures as long as no parameter changes.
NEWEST = "newest"
HINTS = {
    "status": "How learning goes: the step, the loss (lower is nearer to your key frames), the minutes that are left, "
    "and the frames where another key would help most.",
    "keyFrames": "The frames at which Keys shows what you painted, such as 1001, 1025, 1049. Leave it empty to take "
    "the frames at which the shapes of the Roto or RotoPaint have keys. Four frames are a good beginning: the first, "
    "the last and two between. At these frames the group shows what you painted.",
    "addFrame": "Puts the frame that you look at on the list, or takes it off again.",
    "teach": "What is taught. Matte: the alpha of Keys, so a Roto of the subject. Picture: the colours of Keys, so a "
    "RotoPaint over the shot in which a mark is painted out or a colour mended.",
    "minutes": "How long to learn, all in all, if nobody stops it. Three minutes give a first answer, ten a good one. "
    "Pressing Learn again with more minutes, or with another key frame, goes on from what is known.",
    "weightsFile": "The file that holds what is learned. Leave it empty to have it beside the project. The project "
    "needs it for as long as it shows the result, and other shots of the same scene can use it.",
    "learn": "Writes the key frames to files, and the shot where Source is no Read of EXR files, then learns in a "
    "process of its own: you can go on working, and close Natron. The viewer follows.",
    "stop": "Ends learning; what is learned stays and is used. Learn goes on from there.",
    "use": "Uses the weights file as it is: after it was learned elsewhere, or when you named another one.",
}


def make_newest(learned: Any) -> None:
    """Gives the node inside its text."""
    text = learned.createStringParam(NEWEST, "Newest weights")
    text.setVisible(False)
    learned.refreshUserParamsGUI()


def make_panel(group: Any, page: Any, learned: Any) -> None:
    """Puts the group's own parameters on the page."""
    status = group.createStringParam("status", "")
    status.setType(NatronEngine.StringParam.TypeEnum.eStringTypeLabel)
    status.setValue(in_lines(FIRST_WORDS))
    frames = group.createStringParam("keyFrames", "Key frames")
    add = group.createButtonParam("addFrame", "Add this frame")
    teach = group.createChoiceParam("teach", "Teach")
    teach.setOptions([(name, "") for name in TAUGHT])
    minutes = group.createDoubleParam("minutes", "Minutes")
    minutes.setDefaultValue(10.0)
    minutes.setValue(10.0)
    for limit, value in (("Minimum", 0.1), ("Maximum", 1000.0), ("DisplayMinimum", 1.0), ("DisplayMaximum", 30.0)):
        getattr(minutes, f"set{limit}")(value)
    weights = group.createOutputFileParam("weightsFile", "Weights file")
    buttons = [group.createButtonParam(name.lower(), name) for name in ("Learn", "Stop", "Use")]
    ruler = group.createSeparatorParam("result", "Result")
    for parameter in (status, frames, add, teach, minutes, weights, *buttons, ruler):
        parameter.setHelp(HINTS.get(parameter.getScriptName(), ""))
        parameter.setEvaluateOnChange(False)
        parameter.setAddNewLine(parameter not in buttons[1:])
        if hasattr(parameter, "setAnimationEnabled"):
            parameter.setAnimationEnabled(False)
        page.addParam(parameter)
    status.setPersistent(False)
    listed = learned.getParam("keyFrames")
    frames.set(listed.get())
    frames.setAsAlias(listed)
