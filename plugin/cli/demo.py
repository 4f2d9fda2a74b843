"""`cleanplate demo`: makes the bundled shot, renders it as a user would, and shows what came out."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nodes.errors import ParameterError
from nodes.footage import exr_attributes
from nodes.footage.colour.space import LINEAR_REC709
from nodes.footage.exr.header import DamagedHeader, read_header
from nodes.footage.frame import Frame, Pixels
from nodes.footage.metadata import SourceMetadata
from nodes.footage.preview import write_preview
from nodes.footage.reader import Footage
from nodes.footage.writer import write_frame
from plugin.cli.remove import mask_pattern, removal, render_both
from plugin.cli.render import render_plan
from plugin.demo import rigs as demo_rigs
from plugin.demo import shot as demo_shot
from plugin.demo.contact_sheet import contact_sheet, over
from plugin.rendering.course import one_course
from plugin.rendering.plan import Request, plan

# Of removal there are two: finding and filling.
RENDERS = 4
OWNER = "Cleanplate demo shot, made by the software itself"


def add_parser(commands: Any) -> None:
    parser = commands.add_parser("demo", help="make the demo shot and render it")
    parser.add_argument("--out", metavar="FOLDER", default="build/demo", help="where to put it, default: build/demo")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda:N")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    folder = os.path.abspath(options.out)
    _refuse_others(folder)
    plate, source = write_shot(folder)
    rigged = write_rigs(folder)
    keyed, cleaned = f"{folder}/matte/matte.####.exr", f"{folder}/clean/shot.####.exr"
    people = f"{folder}/people/people.####.exr"
    frames = f"{demo_shot.FIRST}-{demo_shot.FIRST + demo_shot.COUNT - 1}"
    on = {"device": options.device}
    mattes = [
        Request("background-matte", {"source": source, "plate": plate}, keyed, frames, on),
        Request("video-matte", {"source": source}, people, frames, on),
    ]
    with one_course(RENDERS):
        for request in mattes:
            _say("render", request.node, {**request.footage, "frames": frames, "out": request.out})
            if status := render_plan(plan(request), as_json=False):
                return status
        _say("remove", "", {"source": rigged, "out": cleaned})
        if status := render_both(*removal(rigged, cleaned, on), as_json=False):
            return status
    sheet = f"{folder}/contact_sheet.png"
    write_preview(sheet, show(source, plate, keyed, people, rigged, cleaned), linear=False)
    print(f"The shots:      {source}\n                {rigged}")
    print(f"The passes:     {keyed}\n                {people}\n                {cleaned}\nContact sheet:  {sheet}")
    return 0


def _say(command: str, node: str, options: Mapping[str, str]) -> None:
    """What a user would type for what comes next; its last option names the files that are written."""
    words = [word for option, value in options.items() for word in (f"--{option}", value)]
    print(" ".join(["cleanplate", command, *filter(None, [node]), *words]), flush=True)
    os.makedirs(os.path.dirname(words[-1]), exist_ok=True)


def write_shot(folder: str) -> tuple[str, str]:
    """Writes the demo shot, its clean plate and its true matte as EXR; returns the patterns of plate and source."""
    plate, source, truth = (f"{folder}/shot/{name}" for name in ("clean_plate.exr", "shot.####.exr", "truth.####.exr"))
    os.makedirs(f"{folder}/shot", exist_ok=True)
    write_frame(plate, [("", "RGB", demo_shot.clean_plate())], _described(demo_shot.FIRST))
    for frame in demo_shot.frames():
        name = f"{frame.number:04d}"
        described = _described(frame.number)
        write_frame(source.replace("####", name), [("", "RGB", frame.source)], described)
        true_layers = [("", "RGB", frame.foreground), ("matte", "A", frame.alpha)]
        write_frame(truth.replace("####", name), true_layers, described)
    return plate, source


def _refuse_others(folder: str) -> None:
    """Raises ParameterError where a file that the demo would write is somebody else's."""
    shots = {"shot": ("clean_plate", "shot", "truth"), "rigs": ("shot", "truth")}
    names = [(place, name) for place in shots for name in _names(f"{folder}/{place}") if name.endswith(".exr")]
    for place, name in names:
        path = f"{folder}/{place}/{name}"
        if name.split(".")[0] in shots[place] and not _is_ours(path):
            raise ParameterError(f"{path} is there already and is not of the demo: choose another folder with --out")
    if not names and "contact_sheet.png" in _names(folder):
        raise ParameterError(f"{folder} has a contact sheet that is not of the demo: choose another folder with --out")


def _names(folder: str) -> list[str]:
    return os.listdir(folder) if os.path.isdir(folder) else []


def _is_ours(path: str) -> bool:
    try:
        return read_header(path).parts[0].attributes.get("owner") == exr_attributes.encode(OWNER)
    except (OSError, DamagedHeader):
        return False


def write_rigs(folder: str) -> str:
    """Writes the second demo shot as EXR, and the same without rigs as its truth; returns the pattern of the shot."""
    source, truth = (f"{folder}/rigs/{name}.####.exr" for name in ("shot", "truth"))
    os.makedirs(f"{folder}/rigs", exist_ok=True)
    for frame in demo_rigs.frames():
        name, described = f"{frame.number:04d}", _described(frame.number)
        write_frame(source.replace("####", name), [("", "RGB", frame.source)], described)
        true_layers = [("", "RGB", frame.clean), ("matte", "A", frame.rig)]
        write_frame(truth.replace("####", name), true_layers, described)
    return source


def show(source: str, plate: str, passes: str, people: str, rigged: str, cleaned: str, columns: int = 3) -> Pixels:
    """The contact sheet of both rendered shots, over their format."""
    chosen, hung = (_spread(Footage(shot).frames(), columns) for shot in (source, rigged))
    masks = mask_pattern(cleaned)
    rows: Sequence[tuple[str, list[Pixels]]] = [
        ("plate (the shot)", [_cut(Footage(source).frame(n)) for n in chosen]),
        ("alpha", [_cut(Footage(passes, "matte").frame(n)) for n in chosen]),
        ("foreground, premultiplied", [_cut(Footage(passes).frame(n))[..., :3] for n in chosen]),
        ("refinement map", [_cut(Footage(passes, "refine").frame(n)) for n in chosen]),
        ("composite over a new background", [_composite(passes, n) for n in chosen]),
        (
            "alpha by video matte, which is not shown the plate",
            [_cut(Footage(people, "matte").frame(n)) for n in chosen],
        ),
        ("a shot with markers and wires", [_cut(Footage(rigged).frame(n)) for n in hung]),
        ("what was found", [_cut(Footage(masks, "matte").frame(n)) for n in hung]),
        ("removed", [_cut(Footage(cleaned).frame(n))[..., :3] for n in hung]),
    ]
    return contact_sheet(rows)


def _spread(numbers: Sequence[int], columns: int) -> list[int]:
    return [numbers[i] for i in np.linspace(0, len(numbers) - 1, columns).round().astype(int)]


def _composite(passes: str, number: int) -> Pixels:
    result = _cut(Footage(passes).frame(number))
    height, width = result.shape[:2]
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    sky = np.array([0.10, 0.28, 0.62], np.float32) + down * np.array([0.55, 0.32, -0.1], np.float32)
    return over(result[..., :3], result[..., 3:], np.broadcast_to(sky, (height, width, 3)))


def _cut(frame: Frame) -> Pixels:
    return frame.pixels[frame.display_window.slices_in(frame.data_window)]


def _described(number: int) -> Frame:
    """A frame without a picture that carries what a camera and an editor would have written."""
    attributes = {
        "timeCode": exr_attributes.encode(_timecode_words(demo_shot.timecode(number)), "timecode"),
        "framesPerSecond": exr_attributes.encode((24, 1), "rational"),
        "owner": exr_attributes.encode(OWNER),
        "reelName": exr_attributes.encode("DEMO01"),
    }
    window = demo_shot.OVERSCAN
    empty = np.empty((window.height, window.width, 0), np.float32)
    metadata = SourceMetadata("", number, number, "openexr", attributes)
    return Frame(empty, (), window, demo_shot.FORMAT, colour=LINEAR_REC709, metadata=metadata)


def _timecode_words(timecode: str) -> tuple[int, int]:
    """SMPTE 12M: each pair of digits in binary-coded decimal, frames in the lowest byte."""
    packed = 0
    for pair in timecode.split(":"):
        packed = packed << 8 | int(pair[0]) << 4 | int(pair[1])
    return packed, 0
