"""The adapter's rooms: what a file includes lies in its own room or in one below, and never comes round to itself."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[2]
ADAPTER = HOUSE / "plugin/ofx"
# From the bottom to the top. Only the build chooses among the folders that speak to an operating system.
BELOW = {
    "system": set(),
    "posix": {"system"},
    "linux": {"system", "posix"},
    "macos": {"system", "posix"},
    "windows": {"system"},
    "worker": {"system"},
    "host": {"system", "worker"},
    "describe": {"system", "worker", "host"},
    "render": {"system", "worker", "host"},
    ".": {"system", "worker", "host", "describe", "render"},
}
# What means the same in both languages, and the files of the Python side that say it.
SHARED = ("plugin/worker/protocol/*.py", "nodes/faces/face.py", "nodes/errors.py")
INCLUDE = re.compile(r'^#include "(.+)"', re.MULTILINE)
TYPE = re.compile(r"^ *(?:class|struct|enum|enum class) (\w+)(?: : [^{\n]+)? \{", re.MULTILINE)


def _sources() -> list[Path]:
    return [path for path in sorted(ADAPTER.rglob("*")) if path.suffix in (".cpp", ".h")]


def _room(name: str) -> str:
    return Path(name).parent.as_posix()


def _included(path: Path) -> list[str]:
    return [name for name in INCLUDE.findall(path.read_text("utf-8")) if name != "face_count.h"]


def test_includes_run_down():
    wrong = []
    for path in _sources():
        name = path.relative_to(ADAPTER).as_posix()
        for included in _included(path):
            assert (ADAPTER / included).is_file(), f"{name} names {included} otherwise than from plugin/ofx"
            if _room(included) not in BELOW[_room(name)] | {_room(name)}:
                wrong.append(f"{name} -> {included}")
    assert not wrong


def test_no_includes_go_round():
    """A header and the source of its name are one."""
    graph: dict[str, set[str]] = {}
    for path in _sources():
        unit = path.relative_to(ADAPTER).with_suffix("").as_posix()
        graph.setdefault(unit, set()).update(included.removesuffix(".h") for included in _included(path))
        graph[unit].discard(unit)
    order = list(TopologicalSorter(graph).static_order())
    assert order.index("worker/wire") < order.index("render/render") < order.index("actions")


def test_all_rooms_are_built():
    rooms = {_room(path.relative_to(ADAPTER).as_posix()) for path in _sources()}
    assert rooms == set(BELOW)
    (built,) = re.findall(r"^OFX_ROOMS := (.+)$", (ADAPTER / "plugin.mk").read_text("utf-8"), re.MULTILINE)
    assert set(built.split()) == rooms - {".", "posix", "linux", "macos", "windows"}


def test_a_type_is_called_as_in_python_only_where_it_is_the_same():
    shared = {path for pattern in SHARED for path in HOUSE.glob(pattern)}
    ours = {name for path in _sources() for name in TYPE.findall(path.read_text("utf-8"))}
    assert {"ClipInputs", "Connection", "UserError", "Pass"} <= ours
    wrong = []
    for package in ("models", "nodes", "plugin", "install"):
        for path in sorted(set((HOUSE / package).rglob("*.py")) - shared):
            tree = ast.walk(ast.parse(path.read_text("utf-8")))
            names = {node.name for node in tree if isinstance(node, ast.ClassDef)} & ours
            wrong += [f"{path.relative_to(HOUSE)}: {name}" for name in sorted(names)]
    assert not wrong
