"""Which nodes there are: the faces beside this file and those in the folders of `CLEANPLATE_NODE_PATH`."""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

from nodes import face as faces
from nodes.engine import Engine
from nodes.errors import ParameterError
from nodes.face import Face

HOUSE = Path(__file__).parent


def folders() -> tuple[Path, ...]:
    """Where faces are looked for: this package, then the folders of `CLEANPLATE_NODE_PATH`."""
    extra = os.environ.get("CLEANPLATE_NODE_PATH", "")
    return (HOUSE, *(Path(folder) for folder in extra.split(os.pathsep) if folder))


def all_faces() -> list[Face]:
    """Every node's face, the house's own first."""
    return list(_read(folders()).values())


def find(name: str) -> Face:
    """The face with this id or command-line name. Raises ParameterError for a node that does not exist."""
    for face in all_faces():
        if name in (face.id, face.command):
            return face
    commands = [face.command for face in all_faces()]
    close = difflib.get_close_matches(name, commands, 1)
    hint = f"did you mean '{close[0]}'?" if close else "there are " + ", ".join(commands)
    raise ParameterError(f"there is no node '{name}': {hint}")


def create_engine(face: Face) -> Engine:
    """A new engine of the node; imports the node's module, and with it torch."""
    ours = face.module.startswith("nodes.")
    module = importlib.import_module(face.module) if ours else _import_beside(face)
    engine: Engine = module.engine()
    return engine


def _import_beside(face: Face) -> ModuleType:
    for folder in folders():
        path = folder / f"{face.module}.py"
        if path.is_file():
            spec = importlib.util.spec_from_file_location(f"cleanplate_node_{face.module}", path)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            sys.modules[spec.name] = module
            spec.loader.exec_module(module)
            return module
    raise ParameterError(f"the engine {face.module}.py of node '{face.id}' is in none of the node folders")


@functools.cache
def _read(where: tuple[Path, ...]) -> dict[str, Face]:
    paths = (path for folder in where for path in sorted(folder.glob("*.yaml")) if path != faces.COMMON)
    return {face.id: face for face in map(faces.load, paths)}
