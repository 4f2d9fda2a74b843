"""The group Learn against stand-ins for Natron's nodes: what is written, what is started, what is said."""

import importlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from install import natron

AS_STORED = {"timeOffset": 0, "startingTime": 1001, "firstFrame": 1001, "ocioInputSpace": "l", "ocioOutputSpace": "l"}

WRITE = ("afterRender", "bitDepth", "disableNode", "formatType", "outputComponents")


class Param:
    def __init__(self, value=""):
        self.value, self.visible = value, True

    def getValue(self):
        return self.value

    def getIsVisible(self):
        return self.visible

    def setVisible(self, visible):
        self.visible = visible

    def setValue(self, value):
        self.value = value

    set = get = setValue


class Node:
    """As much of a node as the scripts touch; `shapes` are the key frames of the shapes of a Roto."""

    def __init__(self, plugin="", inputs=(), shapes=None, **params):
        self.plugin, self.inputs, self.shapes = plugin, list(inputs), shapes
        self.params = {name: Param(value) for name, value in params.items()}

    def getPluginID(self):
        return self.plugin

    def getParam(self, name):
        return self.params.get(name)

    def getInput(self, index):
        return self.inputs[index] if index < len(self.inputs) else None

    def getChildren(self):
        return []

    def getRotoContext(self):
        """As in Natron 2.6: a layer's children are names, by which the context finds shapes and layers."""
        if self.shapes is None:
            return None
        found = {
            f"Bezier{n}": SimpleNamespace(getKeyframes=lambda keys=keys: keys) for n, keys in enumerate(self.shapes)
        }
        names = [SimpleNamespace(getScriptName=lambda name=name: name) for name in found]
        found["Layer1"] = SimpleNamespace(getChildren=lambda: names)
        base = SimpleNamespace(getChildren=lambda: [SimpleNamespace(getScriptName=lambda: "Layer1")])
        return SimpleNamespace(getBaseLayer=lambda: base, getItemByName=found.get)


class Group(Node):
    def __init__(self, inputs):
        super().__init__("org.cleanplate.groups.Learn", inputs)
        values = {"status": "", "keyFrames": "", "weightsFile": "", "teach": 0, "minutes": 10.0}
        values |= {"Learnedweights": "", "Learnednewest": "", "LearneddisableNode": True}
        values |= {"LearnedinputSpace": "auto", "Learneddevice": "auto"}
        self.params = {name: Param(value) for name, value in values.items()}
        self.writers = {}

    def getScriptName(self):
        return "Learn1"

    def getNode(self, name):
        return self.writers.get(name, name)

    def said(self):
        lines = self.params["status"].value.splitlines()
        assert all(len(line) <= 62 for line in lines), "the panel cuts it"
        return " ".join(lines)

    def names(self, path):
        """Whether a file is named; a long one stands in several lines."""
        return str(path) in self.params["status"].value.replace("\n", "")


class App:
    """Renders at once, or when `catch_up` is called."""

    def __init__(self, module, project, group, at_once):
        self.module, self.project, self.group, self.at_once = module, project, group, at_once
        self.asked, self.fails = [], set()

    def getProjectParam(self, name):
        return Param({"projectPath": f"{self.project}/", "projectName": "shot.ntp"}[name] if self.project else "")

    def getChildren(self):
        return [self.group]

    def timelineGetTime(self):
        return 1025

    def timelineGetLeftBound(self):
        return 1001

    def timelineGetRightBound(self):
        return 1003

    def createWriter(self, pattern, group):
        writer = Node(**dict.fromkeys(WRITE, ""))
        writer.pattern = pattern
        writer.connectInput = lambda index, node: setattr(writer, "source", node)
        writer.setLabel = lambda label: setattr(writer, "label", label)
        writer.setScriptName = lambda name: group.writers.__setitem__(name, writer)
        writer.destroy = lambda reconnect: [group.writers.pop(n) for n, w in [*group.writers.items()] if w is writer]
        return writer

    def render(self, writer, first, last):
        self.asked.append((writer, first, last))
        if self.at_once:
            self.catch_up()

    def catch_up(self):
        writer, first, last = self.asked[-1]
        for frame in range(first, last + 1):
            if frame not in self.fails:
                Path(writer.pattern.replace("####", str(frame))).write_text(writer.source)
        if not self.at_once:
            self.module.note_written(next(name for name, one in self.group.writers.items() if one is writer))


class Scene:
    def __init__(self, monkeypatch, folder):
        monkeypatch.syspath_prepend(str(natron.SCRIPTS))
        engine = SimpleNamespace()
        self.preferences = {"renderNewProcess": Param(False)}
        settings = SimpleNamespace(getParam=self.preferences.get)
        engine.natron = SimpleNamespace(getSettings=lambda: settings, getNumInstances=lambda: 1)
        engine.natron.isBackground = lambda: self.app.at_once
        monkeypatch.setitem(sys.modules, "NatronEngine", engine)
        for name in ("cleanplate_process", "cleanplate_writing", "cleanplate_learn_words", "cleanplate_learning"):
            sys.modules.pop(name, None)
        self.learning = importlib.import_module("cleanplate_learning")
        self.process = sys.modules["cleanplate_process"]
        monkeypatch.setattr(self.process, "command", lambda folders: ["cleanplate"])
        self.started = []
        self.running = SimpleNamespace(pid=77, status=None)
        self.running.poll = lambda: self.running.status
        monkeypatch.setattr(
            self.process, "start", lambda words, said: self.started.append((words, said)) or self.running
        )
        self.read = Node("fr.inria.built-in.Read", filename="/a/shot.####.exr", **AS_STORED)
        self.roto = Node("fr.inria.built-in.Roto", [self.read], shapes=[[1001.0, 1003.0], [1003.0]])
        self.group = Group([self.read, self.roto])
        self.folder = folder
        self.app = App(sys.modules["cleanplate_writing"], folder, self.group, at_once=True)
        engine.natron.getInstance = lambda number: self.app
        self.weights = folder / "shot_Learn1.safetensors"

    def press(self, name):
        self.learning.pressed(name, self.group, self.app)

    def status(self, **fields):
        self.weights.with_name(self.weights.name + ".status.json").write_text(json.dumps(fields))


@pytest.fixture
def scene(monkeypatch, tmp_path):
    return Scene(monkeypatch, tmp_path)


def options(words):
    return dict(zip(words[2::2], words[3::2], strict=True))


def test_learn_writes_the_roto_s_key_frames_and_starts_the_command(scene):
    scene.press("learn")
    ((words, said),) = scene.started
    assert words[:2] == ["cleanplate", "learn"]
    assert options(words) == {
        "--source": "/a/shot.####.exr",
        "--keys": str(scene.folder / "shot_Learn1.keys/key.####.exr"),
        "--out": str(scene.weights),
        "--teach": "matte",
        "--minutes": "10",
        "--input-space": "lin_rec709",
        "--device": "auto",
    }
    assert said == scene.folder / "shot_Learn1.safetensors.log"
    assert [p.name for p in sorted(scene.folder.glob("*.keys/*"))] == ["key.1001.exr", "key.1003.exr"]
    assert scene.group.params["weightsFile"].value == "[Project]/shot_Learn1.safetensors"
    assert not scene.group.writers, "the Write nodes are gone"
    assert [writer.params["outputComponents"].value for writer, _, _ in scene.app.asked] == ["Alpha", "Alpha"]


def test_key_frames_that_are_listed_count_and_older_ones_go(scene):
    scene.press("learn")
    scene.running.status = 0
    scene.press("stop")
    scene.learning.follow(scene.group, scene.app)
    scene.group.params["keyFrames"].setValue("1002")
    scene.group.params["teach"].setValue(1)
    scene.press("learn")
    assert [p.name for p in scene.folder.glob("*.keys/*")] == ["key.1002.exr"]
    assert scene.app.asked[-1][0].params["outputComponents"].value == "RGB"
    assert options(scene.started[-1][0])["--teach"] == "picture"


@pytest.mark.parametrize(
    "change",
    [
        {"timeOffset": 5},
        {"startingTime": 1},
        {"ocioInputSpace": "other"},
        {"filename": "/a/shot.####.png"},
        {"disableNode": True},
        {"outputLayer": 3},
        {"filePremult": 2, "outputPremult": 1},
    ],
)
def test_a_read_that_changes_its_files_is_written_out(scene, change):
    scene.read.params |= {name: Param(value) for name, value in change.items()}
    scene.press("learn")
    assert options(scene.started[0][0])["--source"] == str(scene.folder / "shot_Learn1.source/source.####.exr")
    assert [p.name for p in sorted(scene.folder.glob("*.source/*"))] == [f"source.{n}.exr" for n in (1001, 1002, 1003)]


def test_what_comes_through_other_nodes_is_written_out_and_a_plate_is_taken_along(scene):
    still = Node("fr.inria.built-in.Dot", [Node("fr.inria.built-in.Read", filename="/a/clean.exr", **AS_STORED)])
    scene.group.inputs = [Node("net.sf.openfx.Grade", [scene.read]), scene.roto, still]
    scene.press("learn")
    found = options(scene.started[0][0])
    assert found["--source"].endswith("source.####.exr")
    assert found["--plate"] == "/a/clean.exr"


def test_in_the_window_natron_renders_meanwhile(scene):
    scene.app.at_once = False
    scene.press("learn")
    assert not scene.started
    assert scene.group.said() == "Natron writes what is learned from: 2 frames left."
    scene.app.catch_up()
    scene.learning.follow(scene.group, scene.app)
    assert scene.group.said() == "Natron writes what is learned from: 1 frame left."
    assert len(scene.group.writers) == 1
    assert [writer.label for writer, _, _ in scene.app.asked] == ["Learn1 Keys"] * 2, (
        "Natron's list of renders names it"
    )
    scene.app.catch_up()
    scene.learning.follow(scene.group, scene.app)
    assert len(scene.started) == 1
    assert not scene.group.writers
    scene.press("learn")
    assert scene.group.said() == "It is learning already: press Stop first to begin anew."
    assert len(scene.started) == 1


def test_what_natron_would_render_in_a_process_of_its_own_it_renders_itself(scene):
    """Such a process finds no Write inside a group, renders all frames, and never says that it is done."""
    apart, render, found = scene.preferences["renderNewProcess"], scene.app.render, []
    scene.app.render = lambda *what: found.append(apart.value) or render(*what)
    scene.press("learn")
    assert apart.value is False
    apart.setValue(True)
    scene.running.status = 0
    scene.learning.follow(scene.group, scene.app)
    scene.press("learn")
    assert found == [False] * 4
    assert apart.value is True, "it is the artist's preference"


def test_stop_while_natron_still_writes(scene):
    scene.app.at_once = False
    scene.press("learn")
    scene.press("stop")
    assert not scene.group.writers
    scene.learning.follow(scene.group, scene.app)
    assert not scene.started
    assert scene.group.said() == "Stopped before anything was learned."


def test_frames_that_could_not_be_written_are_named(scene):
    scene.app.fails = {1003}
    scene.press("learn")
    assert scene.group.said().endswith("shot_Learn1.keys/key.1003.exr: look at what comes into Keys.")
    assert not scene.group.writers
    assert not scene.started


def test_a_folder_that_cannot_be_written_is_named(scene):
    (scene.folder / "shot_Learn1.keys").write_text("no folder")
    scene.press("learn")
    assert scene.group.names(scene.folder / "shot_Learn1.keys")
    assert scene.group.said().endswith("cannot be written: File exists.")
    assert not scene.started


def test_a_copy_of_the_group_leaves_the_writing_to_the_first(scene):
    scene.app.at_once = False
    scene.press("learn")
    copy = Group(scene.group.inputs)
    copy.getScriptName = lambda: "Learn2"
    copy.params["weightsFile"].setValue(str(scene.weights))
    scene.app.catch_up()
    scene.learning.follow(copy, scene.app)
    assert len(scene.group.writers) == 1
    scene.learning.pressed("learn", copy, scene.app)
    assert copy.said() == "It is learning already: press Stop first to begin anew."


def test_a_copy_of_the_group_does_not_learn_over_what_the_first_one_knows(scene):
    scene.press("learn")
    scene.running.status = 0
    scene.learning.follow(scene.group, scene.app)
    copy = Group(scene.group.inputs)
    copy.getScriptName = lambda: "Learn2"
    copy.params["weightsFile"].setValue(scene.group.params["weightsFile"].value)
    scene.app.getChildren = lambda: [scene.group, copy]
    scene.learning.pressed("learn", copy, scene.app)
    assert copy.said() == (
        "shot_Learn1.safetensors is what Learn1 learns: empty Weights file to learn into one of its own."
    )
    scene.press("learn")
    assert len(scene.started) == 2, "the first one goes on"
    copy.params["weightsFile"].setValue("")
    scene.learning.pressed("learn", copy, scene.app)
    assert len(scene.started) == 3
    assert copy.params["weightsFile"].value == "[Project]/shot_Learn2.safetensors"


def test_a_command_that_ends_at_once_is_quoted(scene):
    scene.press("learn")
    scene.process.said(scene.weights).write_text("cleanplate: no key frame lies in the shot\n")
    scene.status(state="finished", step=9, pid=5)
    scene.running.status = 1
    for _ in range(2):
        scene.learning.look()
        assert scene.group.said() == "no key frame lies in the shot", "what an earlier one said does not count"
    scene.running.status, scene.running.pid = None, 6
    scene.press("learn")
    assert len(scene.started) == 2
    assert scene.group.said() == "Learning begins."


def test_a_project_that_is_being_opened_is_nowhere_yet(scene):
    scene.press("learn")
    said, scene.app.project = scene.group.said(), ""
    scene.learning.look()
    assert scene.group.said() == said


@pytest.mark.parametrize(
    ("inputs", "params", "sentence"),
    [
        (0, {}, "Connect the shot to Source."),
        (1, {}, "Connect a Roto or RotoPaint, keyed at a few frames, to Keys."),
        (2, {"keyFrames": "1001, x"}, "'x' is no frame: list key frames like 1001, 1025, 1049."),
        (2, {"weightsFile": "arm"}, "Name the weights file with its whole path, not arm."),
    ],
)
def test_what_is_missing_is_said(scene, inputs, params, sentence):
    scene.group.inputs = scene.group.inputs[:inputs] or [None, scene.roto]
    scene.group.params |= {name: Param(value) for name, value in params.items()}
    scene.press("learn")
    assert scene.group.said() == sentence
    assert not scene.started


def test_a_roto_without_keys_and_an_unsaved_project(scene):
    scene.roto.shapes = []
    scene.press("learn")
    assert scene.group.said().startswith("Name the frames that you painted under Key frames")
    scene.app.project = ""
    scene.group.params["weightsFile"].setValue("")
    scene.press("learn")
    assert scene.group.said() == "Save the project first, or name the weights file that is learned into."


def test_the_newest_weights_are_shown_while_they_are_learned_and_from_then_on(scene, monkeypatch):
    scene.press("learn")
    assert scene.group.params["LearneddisableNode"].value
    scene.weights.write_text("first")
    scene.status(state="learning", step=3, loss=0.5, minutes_left=1.0, pid=77, next_keys=[[1013]])
    monkeypatch.setattr(scene.process, "at_work", lambda weights: 77)
    scene.learning.look()
    assert scene.group.said() == "Learning: step 3, loss 0.5000, 1.0 min left. Next key to paint: 1013."
    assert scene.group.params["Learnedweights"].value == str(scene.weights)
    assert not scene.group.params["LearneddisableNode"].value
    first = scene.group.params["Learnednewest"].value
    scene.weights.write_text("second one")
    monkeypatch.setattr(scene.process, "at_work", lambda weights: 0)
    scene.learning.look()
    assert scene.group.params["Learnednewest"].value != first


def test_weights_that_another_shot_taught_are_shown_when_use_is_pressed(scene):
    scene.weights = scene.folder / "car.safetensors"
    scene.group.params["weightsFile"].setValue(str(scene.weights))
    scene.press("use")
    assert scene.group.names(scene.weights)
    assert "is not there: press Learn" in scene.group.said()
    scene.weights.write_text("car")
    scene.status(state="finished", step=5, pid=1)
    scene.learning.look()
    assert scene.group.params["LearneddisableNode"].value, "naming a file is not using it"
    scene.press("use")
    assert not scene.group.params["LearneddisableNode"].value
    assert scene.group.params["Learnedweights"].value == str(scene.weights)


def test_the_frame_that_is_looked_at_goes_on_the_list_and_off_again(scene):
    scene.group.params["keyFrames"].setValue("1049 1001-1002")
    scene.press("addFrame")
    assert scene.group.params["keyFrames"].value == "1001, 1002, 1025, 1049"
    scene.press("addFrame")
    assert scene.group.params["keyFrames"].value == "1001, 1002, 1049"


def test_what_the_group_keeps_is_hidden_again_in_a_project_that_was_opened(scene):
    """Natron 2.6 saves that a parameter of the artist's own is hidden, and shows it when it opens the project."""
    scene.learning.look()
    visible = {name for name, param in scene.group.params.items() if param.visible}
    assert visible == set(scene.group.params) - {"Learnedweights", "Learnednewest", "LearneddisableNode"}


def test_several_lines_end_with_an_empty_one(scene):
    """Natron's panel cuts off the foot of what stands in more than one line."""
    scene.learning.say(scene.group, "Nothing is being learned.")
    assert scene.group.params["status"].value == "Nothing is being learned."
    scene.learning.say(scene.group, "Save the project first, or name the weights file that is learned into.")
    assert scene.group.params["status"].value.endswith("that is\nlearned into.\n")


def test_what_went_wrong_stays_while_there_is_nothing_new_and_long_enough_to_read_it(scene, monkeypatch):
    scene.press("learn")
    monkeypatch.setattr(scene.process, "at_work", lambda weights: 77)
    scene.status(state="learning", step=1, pid=77)
    scene.learning.look()
    assert scene.group.said() == "Learning: step 1."
    scene.press("learn")
    for step in (1, 2, 3):
        scene.status(state="learning", step=step, pid=77)
        scene.learning.look()
        assert scene.group.said() == "It is learning already: press Stop first to begin anew."
    for _ in range(10):
        scene.learning.look()
    assert scene.group.said() == "Learning: step 3."
    monkeypatch.setattr(scene.process, "at_work", lambda weights: 0)
    scene.status(state="finished", step=4, pid=77)
    scene.learning.look()
    assert scene.group.said() == "Learned: step 4."
    scene.press("stop")
    for _ in range(30):
        scene.learning.look()
    assert scene.group.said() == "Nothing is being learned."


def test_a_project_that_was_saved_while_natron_wrote_is_opened_as_if_nothing_had_begun(scene):
    """Natron 2.6 saves the Write inside the group, and the sentence, though it is told not to."""
    left = SimpleNamespace(getScriptName=lambda: "CleanplateWrite12", getPluginID=str, getChildren=list)
    other = SimpleNamespace(getScriptName=lambda: "Write1", getPluginID=str, getChildren=list)
    gone = []
    left.destroy, other.destroy = lambda reconnect: gone.append(left), lambda reconnect: gone.append(other)
    scene.group.getChildren = lambda: [left, other]
    scene.group.params["weightsFile"].setValue(str(scene.weights))
    scene.group.params["status"].setValue("Natron writes what is learned from: 28 frames left.")
    scene.learning.look()
    assert gone == [left]
    assert scene.group.said() == "Draw the subject at a few frames of a Roto at Keys, then press Learn."


def test_the_write_that_is_at_work_stays(scene):
    scene.app.at_once = False
    scene.press("learn")
    (name,) = scene.group.writers
    writer = SimpleNamespace(getScriptName=lambda: name, getPluginID=str, getChildren=list)
    scene.group.getChildren = lambda: [writer]
    scene.learning.look()
    assert list(scene.group.writers) == [name]


def test_an_opened_project_says_whose_weights_it_shows(scene):
    """They were learned elsewhere: nothing beside them says how."""
    scene.weights.write_text("car")
    for name in ("weightsFile", "Learnedweights"):
        scene.group.params[name].setValue(str(scene.weights))
    scene.group.params["status"].setValue("Learning: step 3.")
    scene.learning.look()
    assert scene.group.said().startswith("Shows ")
    assert scene.group.names(scene.weights)
