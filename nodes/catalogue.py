"""Which nodes there are: the faces beside this file and those in the folders of `CLEANPLATE_NODE_PATH`.

A face that is wrong hurts nobody but itself: the others are there, and `broken` says what is wrong with it.
"""

from __future__ import annotations

import difflib
import functools
import os
from dataclasses import dataclass
from pathlib import Path

from nodes.errors import FaceError, ParameterError
from nodes.faces import common as face_common
from nodes.faces import file as face_file
from nodes.faces.face import Face

HOUSE = Path(__file__).parent
VARIABLE = "CLEANPLATE_NODE_PATH"
_SUFFIXES = (".yaml", ".yml")
_PREFIX = "org.cleanplate."


@dataclass(frozen=True)
class Broken:
    """A face that cannot be used: a sentence that names the file, and what the node may be asked for by."""

    sentence: str
    names: frozenset[str] = frozenset()


def all_faces() -> list[Face]:
    """Every node's face that can be used, the house's own first."""
    return list(_read(os.environ.get(VARIABLE, ""))[0])


def broken() -> list[Broken]:
    """What is wrong with the others, and with the folders that are named."""
    return list(_read(os.environ.get(VARIABLE, ""))[1])


def find(name: str) -> Face:
    """The face with this id or command-line name.

    Raises FaceError for a node whose face is wrong, ParameterError for one that does not exist.
    """
    faces = all_faces()
    for face in faces:
        if name in (face.id, face.command):
            return face
    for other in broken():
        if name in other.names:
            raise FaceError(other.sentence)
    commands = [face.command for face in faces]
    close = difflib.get_close_matches(name, commands, 1)
    hint = f"did you mean '{close[0]}'?" if close else "there are " + ", ".join(commands)
    raise ParameterError(f"there is no node '{name}': {hint}")


@functools.cache
def _read(variable: str) -> tuple[tuple[Face, ...], tuple[Broken, ...]]:
    """Takes the variable's value, so that who changes it is told anew."""
    faces: list[Face] = []
    wrong: list[Broken] = []
    for folder in dict.fromkeys([HOUSE, *(Path(entry) for entry in variable.split(os.pathsep) if entry)]):
        try:
            paths = _yaml_files(folder)
        except FaceError as error:
            wrong.append(Broken(str(error)))
            continue
        for path in paths:
            try:
                face = face_file.load(path)
                _refuse_double(face, faces)
                faces.append(face)
            except FaceError as error:
                wrong.append(Broken(str(error), frozenset(face_file.names_in(path))))
    return tuple(faces), tuple(wrong)


def _yaml_files(folder: Path) -> list[Path]:
    """The faces of a folder, hidden files left out. Raises FaceError."""
    if not folder.is_absolute():
        whole = folder.expanduser().absolute()
        raise FaceError(f"{VARIABLE} must name whole paths, since the worker works elsewhere: {whole}, not {folder}")
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise FaceError(f"{VARIABLE} names the folder {folder}, which cannot be read: {error.strerror}") from None
    paths = [folder / name for name in names if name.endswith(_SUFFIXES) and not name.startswith(".")]
    return [path for path in paths if path != face_common.FILE]


def _refuse_double(face: Face, others: list[Face]) -> None:
    for other in others:
        if shared := _names(face) & _names(other):
            raise FaceError(
                f"{face.file}: '{shared.pop()}' is the name of the node in {other.file}: give it another id and command"
            )


def _names(face: Face) -> set[str]:
    """What a node is called in any door, capitals aside."""
    return {face.id.removeprefix(_PREFIX).casefold(), face.command.casefold()}
