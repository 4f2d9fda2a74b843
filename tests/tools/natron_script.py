"""Runs inside NatronRenderer: builds the graph that the test describes, renders it, writes down what it saw.

`CLEANPLATE_TEST_TASK` names a JSON file; the report goes beside it.
"""

import json
import os
import traceback

import NatronEngine

with open(os.environ["CLEANPLATE_TEST_TASK"]) as given:
    task = json.load(given)
report = {"plugins": list(NatronEngine.natron.getPluginIDs()), "error": ""}
app = app1  # noqa: F821 - Natron names its first project so


def set_param(node, name, value):
    param = node.getParam(name)
    assert param is not None, f"{node.getLabel()} has no parameter {name}"
    param.set(value)


def build():
    made = {}
    for entry in task["nodes"]:
        kind = entry["kind"]
        if kind == "read":
            node = app.createReader(entry["file"])
        elif kind == "write":
            node = app.createWriter(entry["file"])
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
    """One step of a user: parameters, connections, a render."""
    for name, params in step.get("params", {}).items():
        for param, value in params.items():
            set_param(made[name], param, value)
    for name, inputs in step.get("inputs", {}).items():
        connect(made, name, inputs)
    if "render" in step:
        app.render(made[task["write"]], *step["render"])


try:
    nodes = build()
    for first, last in task.get("ranges", []):
        app.render(nodes[task["write"]], first, last)
    for step in task.get("steps", []):
        take(step, nodes)
except BaseException:
    report["error"] = traceback.format_exc()
with open(os.environ["CLEANPLATE_TEST_TASK"] + ".report", "w") as out:
    json.dump(report, out)
