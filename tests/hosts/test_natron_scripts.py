"""What runs inside Natron, the ready-made groups and the menu, against stand-ins for its nodes."""

import sys
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

from install import natron

# Parameters that Natron gives every node, or some of its own.
OF_ALL = ("optional", "isMask", "disableNode", "onParamChanged")


class FakeParam:
    def __init__(self, name: str) -> None:
        self.name, self.alias, self.value = name, None, None

    def __getattr__(self, name):
        return (lambda: self.name) if name in ("getLabel", "getHelp", "getScriptName") else (lambda *a: [])

    def get(self):
        return f"what {self.name} is set to"

    def set(self, value):
        self.value = value

    def setAsAlias(self, other):
        """As Natron links them: from here on both have this one's value."""
        assert self.value == other.get(), f"{other.name} loses its value to {self.name}"
        self.alias = other


class DoubleParam(FakeParam):
    pass


class FakeNode:
    """As much of a Natron node as a group script touches."""

    def __init__(self, plugin: str, inputs: list[str], params: list[str]) -> None:
        self.plugin, self.inputs = plugin, inputs
        self.params = {name: DoubleParam(name) for name in (*params, *OF_ALL)}
        self.connected: dict[int, FakeNode] = {}
        self.name = ""

    def __getattr__(self, name):
        if name.startswith("create"):
            return lambda script, label: self.params.setdefault(script, DoubleParam(label))
        return lambda *a: None

    def setScriptName(self, name):
        self.name = name

    def getScriptName(self):
        return self.name

    def getParam(self, name):
        return self.params.get(name)

    def getMaxInputCount(self):
        return len(self.inputs)

    def getInputLabel(self, index):
        return self.inputs[index]

    def connectInput(self, index, node):
        self.connected[index] = node


class FakeApp:
    def __init__(self) -> None:
        from nodes import catalogue

        self.faces = {f"org.cleanplate.{face.id}": face for face in catalogue.all_faces()}
        self.made: list[FakeNode] = []

    def createNode(self, plugin, version=-1, group=None):
        inputs, params = ["A", "B"], ["mix"]
        if plugin in self.faces:
            face = self.faces[plugin]
            inputs, params = [i.name for i in face.inputs], [p.name for p in face.parameters]
        elif plugin.startswith("org.cleanplate"):
            return None
        self.made.append(FakeNode(plugin, inputs, params))
        return self.made[-1]


@pytest.mark.parametrize(
    ("script", "shown"),
    [
        ("CleanplateKey", {"BackgroundMatte": "SHOWN"}),
        ("CleanplateKeyWithoutPlate", {"KeyWithoutPlate": "SHOWN"}),
        ("CleanplateRigRemoval", {"Inpaint": "SHOWN"}),
        ("CleanplateLearn", {"Learned": "SHOWN"}),
        ("CleanplateRemoveMarkers", {"Segment": "FOUND", "Inpaint": "FILLED"}),
    ],
)
def test_groups_use_only_what_the_faces_have(script, shown, monkeypatch):
    """Names in the group scripts are names of inputs and parameters; real Natron runs them in test_natron.py."""
    monkeypatch.syspath_prepend(str(natron.SCRIPTS))
    monkeypatch.setitem(sys.modules, "NatronEngine", MagicMock())
    module = __import__(script)
    app, group = FakeApp(), FakeNode("group", [], [])
    module.createInstance(app, group)
    for node, listed in shown.items():
        face = app.faces[f"org.cleanplate.{node}"]
        made = next(entry for entry in app.made if entry.plugin == f"org.cleanplate.{node}")
        assert {face.inputs[index].name for index in made.connected} == {entry.name for entry in face.inputs}
        there = {name.removeprefix(node) for name in group.params if name.startswith(node)}
        assert there == {*getattr(module, listed), *getattr(module, "REMEMBERED", ())}
    assert any(entry.plugin.endswith("Output") and entry.connected for entry in app.made)


def test_a_group_without_its_node_says_what_to_do(monkeypatch):
    monkeypatch.syspath_prepend(str(natron.SCRIPTS))
    app = FakeApp()
    del app.faces["org.cleanplate.Inpaint"]
    with pytest.raises(RuntimeError, match=r"Natron has no node org\.cleanplate\.Inpaint: run cleanplate doctor"):
        __import__("CleanplateRigRemoval").createInstance(app, FakeNode("group", [], []))


def test_the_menu_has_every_node_and_group(monkeypatch):
    monkeypatch.syspath_prepend(str(natron.SCRIPTS))
    monkeypatch.setitem(sys.modules, "NatronEngine", SimpleNamespace(BoolNodeCreationProperty=bool))
    monkeypatch.delitem(sys.modules, "cleanplate_menu", raising=False)
    menu = __import__("cleanplate_menu")
    added: dict[str, str] = {}
    created: list[str] = []
    shown: list[str] = []

    def create(plugin, version, group, how):
        assert how["CreateNodeArgsPropSettingsOpened"], "whoever takes a node from a menu wants to see its panel"
        created.append(plugin)
        return None if "Rig" in plugin else object()

    app = SimpleNamespace(createNode=create)
    fake = SimpleNamespace(
        getPluginIDs=lambda: ["net.sf.X", "org.cleanplate.VideoMatte", "org.cleanplate.BackgroundMatte"],
        addMenuCommand=added.__setitem__,
        getActiveInstance=lambda: app,
        errorDialog=lambda title, text: shown.append(text),
    )
    names: dict = {}
    menu.fill_menu(fake, names)
    assert list(added) == [
        "Cleanplate/Background Matte",
        "Cleanplate/Video Matte",
        "Cleanplate/Groups/Clean-plate Key",
        "Cleanplate/Groups/Key Without a Plate",
        "Cleanplate/Groups/Learn",
        "Cleanplate/Groups/Remove Markers and Wires",
        "Cleanplate/Groups/Rig Removal",
    ]
    for function in added.values():
        names[function]()
    assert created[0] == "org.cleanplate.BackgroundMatte"
    assert shown == ["Natron has no node org.cleanplate.groups.RigRemoval. Run cleanplate doctor: it says why."]
