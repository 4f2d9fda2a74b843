"""What the buttons of the group Learn do, and what follows learning. Runs in Natron's own Python.

A command that learns is a process of its own; all that is known of it stands in files beside the weights, so that
Natron may be closed and opened meanwhile. In the window a timer looks at these files.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cleanplate_footage as footage  # type: ignore[import-not-found]
import cleanplate_process as process  # type: ignore[import-not-found]
import cleanplate_writing as writing  # type: ignore[import-not-found]
import NatronEngine  # type: ignore[import-not-found]
from cleanplate_learn_words import KEPT, hide, say, tell, troubles  # type: ignore[import-not-found]
from cleanplate_process import Trouble

GROUP = "org.cleanplate.groups.Learn"
SUFFIX = ".safetensors"
SOURCE, KEYS, PLATE = 0, 1, 2
# What Keys show, as the group's choice has it, and what is written of them.
TAUGHT, COMPONENTS = ("Matte", "Picture"), ("Alpha", "RGB")
# What a host delivers without naming its space.
USUAL_SPACE = "lin_rec709"
EVERY_MS = 1000
SHOWS = "Shows {}."
QT = ("PySide6", "PySide2", "PySide")


def pressed(name: str, group: Any, app: Any) -> None:
    """A button of the group, or another of its parameters, was used."""
    actions = {"learn": learn, "stop": stop, "use": use, "addFrame": add_frame}
    if name in actions:
        with troubles(group):
            actions[name](group, app)


def learn(group: Any, app: Any) -> None:
    """Writes what has to be written, then starts the command. Raises Trouble."""
    weights = weights_file(group, app)
    if writing.busy(weights) or process.at_work(weights):
        raise Trouble("It is learning already: press Stop first to begin anew.")
    _refuse_anothers(weights, group, app)
    job = writing.Errand(weights, group.getScriptName(), [*process.command(bundle_folders()), "learn"])
    job.words += ["--source", _source(group, app, job), "--keys", _keys(group, job), "--out", str(weights)]
    plate = _plate(group, app, job)
    job.words += ["--plate", plate] if plate else []
    job.words += ["--teach", TAUGHT[footage.value_of(group, "teach")].lower()]
    job.words += ["--minutes", f"{footage.value_of(group, 'minutes'):g}"]
    for option, name, usual in (("--input-space", "inputSpace", USUAL_SPACE), ("--device", "device", "auto")):
        value = str(footage.value_of(group, f"Learned{name}") or "auto")
        job.words += [option, usual if value == "auto" else value]
    writing.begin(job, group, app)
    follow(group, app)


def stop(group: Any, app: Any) -> None:
    """Ends learning; what is learned stays. Raises Trouble."""
    weights = weights_file(group, app)
    if writing.give_up(weights, group):
        say(group, "Stopped before anything was learned.")
    elif not process.stop(weights):
        raise Trouble("Nothing is being learned.")


def use(group: Any, app: Any) -> None:
    """Shows what the weights file holds, wherever it was learned. Raises Trouble."""
    weights = weights_file(group, app)
    if not weights.exists():
        raise Trouble(f"{weights} is not there: press Learn, or name a file that was learned.")
    show(group, weights)
    say(group, process.describe(process.read_status(weights), bool(process.at_work(weights))) or SHOWS.format(weights))


def add_frame(group: Any, app: Any) -> None:
    """Adds the frame that is looked at to the list, or takes it off. Raises Trouble."""
    frames = set(_listed(group)) ^ {app.timelineGetTime()}
    group.getParam("keyFrames").setValue(", ".join(map(str, sorted(frames))))


def follow(group: Any, app: Any) -> None:
    """Says how learning goes, and shows the newest weights. Raises Trouble."""
    weights = weights_file(group, app)
    writing.go_on(weights, group, app)
    working = bool(process.at_work(weights))
    shown = weights.exists() and (working or footage.value_of(group, "Learnedweights") == str(weights))
    news = writing.state(weights) or process.describe(process.read_status(weights), working)
    tell(group, news or (SHOWS.format(weights) if shown else ""))
    if shown:
        show(group, weights)


def show(group: Any, weights: Path) -> None:
    """Has the node inside use the weights as they now are; Natron renders anew where that is a change."""
    for name, value in zip(KEPT, (str(weights), process.stamp(weights), False), strict=True):
        parameter = group.getParam(name)
        if parameter.getValue() != value:
            parameter.setValue(value)


def look() -> None:
    """Looks after every group in the projects that are open."""
    natron = NatronEngine.natron
    for number in range(natron.getNumInstances()):
        app = natron.getInstance(number)
        for group in groups_in(app) if app is not None else ():
            hide(group)
            # While a project is opened it is nowhere yet, and what lies beside it is not either.
            if app.getProjectParam("projectPath").getValue():
                writing.sweep(group)
            if footage.value_of(group, "weightsFile"):
                with contextlib.suppress(Trouble):
                    follow(group, app)


def watch() -> Any:
    """Has `look` called again and again by Natron's window; whoever keeps the timer keeps it going."""
    timer = _qt_core().QTimer()
    timer.timeout.connect(look)
    timer.start(EVERY_MS)
    return timer


def groups_in(parent: Any) -> Iterator[Any]:
    """The Learn groups of a project or of a group, and of the groups in it."""
    for node in parent.getChildren():
        if node.getPluginID() == GROUP:
            yield node
        yield from groups_in(node)


def weights_file(group: Any, app: Any) -> Path:
    """Where the weights are, or will be: as named, else beside the project. Raises Trouble."""
    named = str(footage.value_of(group, "weightsFile") or "").strip()
    project = str(app.getProjectParam("projectPath").getValue() or "").rstrip("/")
    if not named:
        if not project:
            raise Trouble("Save the project first, or name the weights file that is learned into.")
        title = Path(str(app.getProjectParam("projectName").getValue())).stem
        named = f"[Project]/{title}_{group.getScriptName()}{SUFFIX}"
        group.getParam("weightsFile").setValue(named)
    path = Path(named.replace("[Project]", project, 1) if project else named)
    if not path.is_absolute():
        raise Trouble(f"Name the weights file with its whole path, not {named}.")
    return path if path.suffix == SUFFIX else path.with_name(path.name + SUFFIX)


def bundle_folders() -> list[Path]:
    """Where Natron looks for OpenFX bundles."""
    named = os.environ.get("OFX_PLUGIN_PATH", "").replace(";", os.pathsep).split(os.pathsep)
    preference = NatronEngine.natron.getSettings().getParam("extraPluginsSearchPaths")
    return process.places(named, "" if preference is None else str(preference.getValue()))


def _refuse_anothers(weights: Path, group: Any, app: Any) -> None:
    """A copy of a group may show what the first one learned; learning on, it would be lost. Raises Trouble."""
    for other in groups_in(app):
        name, named = other.getScriptName(), Path(str(footage.value_of(other, "weightsFile") or ""))
        if name != group.getScriptName() and named.name == weights.name and weights.stem.endswith(f"_{name}"):
            raise Trouble(f"{weights.name} is what {name} learns: empty Weights file to learn into one of its own.")


def _source(group: Any, app: Any, job: Any) -> str:
    if group.getInput(SOURCE) is None:
        raise Trouble("Connect the shot to Source.")
    return _files(group, app, SOURCE, "Source", job)


def _plate(group: Any, app: Any, job: Any) -> str:
    return _files(group, app, PLATE, "Cleanplate", job) if group.getInput(PLATE) is not None else ""


def _keys(group: Any, job: Any) -> str:
    """Has the key frames written, each by itself."""
    if group.getInput(KEYS) is None:
        raise Trouble("Connect a Roto or RotoPaint, keyed at a few frames, to Keys.")
    frames = _listed(group) or footage.roto_frames(group.getInput(KEYS))
    if not frames:
        raise Trouble("Name the frames that you painted under Key frames, such as 1001, 1025, 1049.")
    pattern = str(job.weights.with_suffix(".keys") / "key.####.exr")
    settings = {
        "bitDepth": "32f",
        "formatType": "input",
        "outputComponents": COMPONENTS[footage.value_of(group, "teach")],
    }
    job.strips += [footage.Strip("Keys", frame, frame, pattern, settings) for frame in frames]
    return pattern


def _files(group: Any, app: Any, index: int, name: str, job: Any) -> str:
    """The files that come into an input: a Read's own, else those that Natron will have written."""
    found = footage.files_of(group.getInput(index))
    if found:
        return found
    pattern = str(job.weights.with_suffix(f".{name.lower()}") / f"{name.lower()}.####.exr")
    first, last = app.timelineGetLeftBound(), app.timelineGetRightBound()
    job.strips.append(footage.Strip(name, first, last, pattern, {"bitDepth": "16f", "formatType": "input"}))
    return pattern


def _listed(group: Any) -> list[int]:
    """The list of key frames. Raises Trouble."""
    try:
        return footage.frames_named(str(footage.value_of(group, "keyFrames") or ""))
    except ValueError as error:
        raise Trouble(f"'{error}' is no frame: list key frames like 1001, 1025, 1049.") from None


def _qt_core() -> Any:
    """The Python binding of the Qt that Natron has. Raises ImportError."""
    name = next((name for name in QT if name in sys.modules), "PySide2")
    return importlib.import_module(f"{name}.QtCore")
