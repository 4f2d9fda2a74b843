"""Arrows between rooms: within every folder, files and folders stand on floors, and imports run down only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parents[1]
FILES = [path for name in ("models", "nodes", "plugin", "install") for path in (HOUSE / name).rglob("*.py")]
# A room's first lines are its file __init__.py, which stands for the whole room.
MODULES = {path.relative_to(HOUSE).with_suffix("").parts: path for path in FILES}
ROOMS = sorted({path.parent.relative_to(HOUSE).parts for path in FILES})
WORKER = ("protocol", "client", "device", "server")


def imported(path: Path) -> Iterator[tuple[str, ...]]:
    """The modules of the house that a file imports."""
    here = path.parent.relative_to(HOUSE).parts
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else ()
            base += tuple(node.module.split(".")) if node.module else ()
            names = [(*base, alias.name) for alias in node.names]
        else:
            continue
        for name in names:
            while name and name not in MODULES and (*name, "__init__") not in MODULES:
                name = name[:-1]
            if name:
                yield name


ARROWS = {(module, other) for module, path in MODULES.items() for other in imported(path)}


def arrows_in(room: tuple[str, ...]) -> dict[str, set[str]]:
    """What each file and folder of a room imports of its other files and folders."""
    found: dict[str, set[str]] = {}
    depth = len(room)
    for one, other in ARROWS:
        inside = one[:depth] == other[:depth] == room and min(len(one), len(other)) > depth
        if inside and one[depth] not in (other[depth], "__init__"):
            found.setdefault(one[depth], set()).add(other[depth])
    return found


@pytest.mark.parametrize("room", [(), *ROOMS], ids=lambda room: "/".join(room) or "house")
def test_arrows_run_down_only(room: tuple[str, ...]) -> None:
    try:
        TopologicalSorter(arrows_in(room)).prepare()
    except CycleError as error:
        circle = " -> ".join(error.args[1][::-1])
        pytest.fail(f"a circle in {'/'.join(room) or 'the house'}: {circle}")


def test_the_arrows_are_seen() -> None:
    assert {"nodes", "models", "install"} <= arrows_in(())["plugin"]
    assert len(ARROWS) > 500


def test_the_worker_has_few_arrows() -> None:
    """Its rooms stand on floors in this order, and at most twenty arrows run between them and its own files."""
    arrows = arrows_in(("plugin", "worker"))
    assert sum(map(len, arrows.values())) <= 20
    for room in WORKER:
        above = WORKER[WORKER.index(room) :]
        assert not arrows.get(room, set()) & set(above)
    assert "client" not in arrows["server"] | arrows["device"]
