"""Runs inside NatronRenderer: builds the graph that the test describes, renders it, writes down what it saw.

`CLEANPLATE_TEST_TASK` names a JSON file; the report goes beside it.
"""

import json
import os
import time
import traceback
from pathlib import Path

import NatronEngine

with open(os.environ["CLEANPLATE_TEST_TASK"]) as given:
    task = json.load(given)
report = {"plugins": list(NatronEngine.natron.getPluginIDs()), "error": ""}
app = app1  # noqa: F821 - Natron names its first project so


def set_param(node, name, value):
    param = node.getParam(name)
    assert param is not None, f"{node.getLabel()} has no parameter {name}"
    param.set(value)


def make_roto(boxes):
    """A Roto with one square that moves: x, y and size by frame."""
    node = app.createNode("fr.inria.built-in.Roto")
    frames = sorted(boxes, key=int)
    shape = node.getRotoContext().createRectangle(*boxes[frames[0]], int(frames[0]))
    for frame in frames:
        x, y, size = boxes[frame]
        corners = [(x, y + size), (x + size, y + size), (x + size, y), (x, y)]
        for index, corner in enumerate(corners):
            # Both tangents lie in the corner, and the feather on the shape.
            shape.setPointAtIndex(index, int(frame), *corner * 3)
            shape.setFeatherPointAtIndex(index, int(frame), *corner * 3)
    return node


def build():
    made = {}
    for entry in task["nodes"]:
        kind = entry["kind"]
        if kind == "read":
            node = app.createReader(entry["file"])
        elif kind == "write":
            node = app.createWriter(entry["file"])
        elif kind == "roto":
            node = make_roto(entry["boxes"])
        else:
            node = app.createNode(kind)
        assert node is not None, f"Natron made no {kind}"
        made[entry["name"]] = node
        for name, value in entry.get("params", {}).items():
            set_param(node, name, value)
        report.setdefault("inputs", {})[entry["name"]] = connect(made, entry["name"], entry.get("inputs", {}))
    return made


def connect(made, name, inputs):
    """Connects inputs by label or number; None disconnects. Returns the labels."""
    node = made[name]
    labels = [node.getInputLabel(i) for i in range(node.getMaxInputCount())]
    for label, source in inputs.items():
        index = labels.index(label) if label in labels else int(label)
        node.disconnectInput(index)
        if source is not None:
            assert node.connectInput(index, made[source]), f"{label} of {name} cannot be connected"
    return labels


def take(step, made):
    """One step of a user: parameters, connections, buttons that are pressed, patience, a render, saving."""
    for name, params in step.get("params", {}).items():
        for param, value in params.items():
            set_param(made[name], param, value)
    for name, inputs in step.get("inputs", {}).items():
        connect(made, name, inputs)
    for name, buttons in step.get("press", {}).items():
        for button in buttons:
            made[name].getParam(button).trigger()
            report.setdefault("said", []).append(made[name].getParam("status").getValue())
    if "until" in step:
        wait(*step["until"])
    if "render" in step:
        app.render(made[task["write"]], *step["render"])
    if "save" in step:
        assert app.saveProjectAs(step["save"])


def wait(file, words):
    """Until one of the words stands in a file, on a machine that may be busy with other things."""
    for _ in range(7000):
        if os.path.exists(file) and any(word in Path(file).read_text() for word in words):
            return
        time.sleep(0.1)
    raise AssertionError(f"{file} does not say {words}: {report.get('said')}")


try:
    if task.get("project"):
        app = app.loadProject(task["project"])
        nodes = {node.getLabel(): node for node in app.getChildren()}
    else:
        nodes = build()
    for first, last in task.get("ranges", []):
        app.render(nodes[task["write"]], first, last)
    for step in task.get("steps", []):
        take(step, nodes)
except BaseException:
    report["error"] = traceback.format_exc()
with open(os.environ["CLEANPLATE_TEST_TASK"] + ".report", "w") as out:
    json.dump(report, out)
