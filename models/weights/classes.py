"""What a segmentation network's classes are called: the lists of `classes.yaml`, or a user's own beside the weights."""

from __future__ import annotations

import difflib
import functools
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from models.weights.errors import WeightsError

FILE = Path(__file__).with_name("classes.yaml")
# Beside NAME.safetensors the user's own list is NAME.classes.txt (a name per line) or NAME.classes.yaml.
SUFFIXES = (".classes.txt", ".classes.yaml")
LARGEST_FILE = 1 << 20


@dataclass(frozen=True)
class ClassList:
    """`names` in the order of the network's answers; `background` those that a matte never means.

    `mirrored` are pairs of indices that change places when the picture is flipped, such as left and right arm.
    `shortest`: for each class how many pixels long a piece of it must be, or () where nothing is too short.
    """

    id: str
    title: str
    names: tuple[str, ...]
    background: tuple[str, ...] = ()
    mirrored: tuple[tuple[int, int], ...] = ()
    shortest: tuple[float, ...] = ()

    @property
    def rest(self) -> list[int]:
        """The indices of the background's classes."""
        return [self.names.index(name) for name in self.background]

    def flipped(self) -> list[int]:
        """For each class the one whose answer on a flipped picture is its own."""
        order = list(range(len(self.names)))
        for left, right in self.mirrored:
            order[left], order[right] = right, left
        return order

    def choose(self, wanted: str) -> list[int]:
        """The indices of classes named in a text, separated by commas; empty means all but the background.

        Capitals, spaces, hyphens and underscores do not matter. Raises WeightsError for a name that is not known, and
        for an empty text where nothing is background.
        """
        names = [part.strip() for part in wanted.split(",") if part.strip()]
        if not names:
            if not self.background:
                raise WeightsError(f"say which classes are wanted: {self.title} has {', '.join(self.names)}")
            return [i for i, name in enumerate(self.names) if name not in self.background]
        return list(dict.fromkeys(self.index(name) for name in names))

    def index(self, name: str) -> int:
        """The index of one name. Raises WeightsError, with the nearest name and all of them, where there is none."""
        plain = {_plain(known): i for i, known in enumerate(self.names)}
        if _plain(name) in plain:
            return plain[_plain(name)]
        close = difflib.get_close_matches(_plain(name), list(plain), 1)
        hint = f"did you mean '{self.names[plain[close[0]]]}'? " if close else ""
        raise WeightsError(f"{self.title} has no class '{name}': {hint}it has {', '.join(self.names)}")


@functools.cache
def known() -> Mapping[str, ClassList]:
    """The lists that come with the software, by id."""
    document = yaml.safe_load(FILE.read_text("utf-8"))
    return {name: _made(name, raw, FILE) for name, raw in document.items()}


def read(path: Path) -> ClassList:
    """A user's own list: a text file with a name per line, or YAML as in `classes.yaml` without the list's id.

    Raises WeightsError for a file that is not there or is neither.
    """
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST_FILE).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError(f"the class list {path} cannot be read: {error}") from None
    if path.suffix.lower() in (".yaml", ".yml"):
        try:
            raw = yaml.safe_load(text)
        except yaml.YAMLError:
            raise WeightsError(f"the class list {path} is not YAML") from None
    else:
        lines = (line.partition("#")[0].strip() for line in text.splitlines())
        raw = {"classes": [line for line in lines if line]}
    return _made(path.name, raw, path)


def of_weights(name: str, path: str, count: int, wanted: str = "") -> ClassList:
    """The class list of weights called `name`, in the file `path` (or ""), with `count` classes.

    `wanted` names a list or a file; without it the one beside the file counts, then the one that belongs to the name,
    then the only one of so many classes. Raises WeightsError where there is none, and where its number is another.
    """
    found = _found(name, path, count, wanted.strip())
    if len(found.names) != count:
        raise WeightsError(
            f"the class list {found.title} has {len(found.names)} names, but the weights '{name}' tell {count} classes "
            "apart: choose other weights or another class list"
        )
    return found


def _found(name: str, path: str, count: int, wanted: str) -> ClassList:
    if wanted:
        if wanted in known():
            return known()[wanted]
        if "/" in wanted or "." in wanted:
            return read(Path(wanted).expanduser())
        raise WeightsError(f"there is no class list '{wanted}': there are {', '.join(known())}, or name a file")
    beside = [Path(path).with_suffix(suffix) for suffix in SUFFIXES] if path else []
    for own in beside:
        if own.is_file():
            return read(own)
    for candidate, names in _weights().items():
        if name in names:
            return known()[candidate]
    of_that_size = [entry for entry in known().values() if len(entry.names) == count]
    if len(of_that_size) == 1:
        return of_that_size[0]
    where = f"write them, one per line, into {beside[0]}" if beside else "name a file with their names as class list"
    raise WeightsError(f"nothing says what the {count} classes of the weights '{name}' are called: {where}")


@functools.cache
def _weights() -> Mapping[str, tuple[str, ...]]:
    document = yaml.safe_load(FILE.read_text("utf-8"))
    return {name: tuple(raw["weights"]) for name, raw in document.items()}


def _made(name: str, raw: Any, path: Path) -> ClassList:
    names = _texts(raw.get("classes")) if isinstance(raw, dict) else ()
    if not names or len({_plain(entry) for entry in names}) != len(names):
        raise WeightsError(f"the class list {path} names no classes, or one of them twice")
    try:
        background = tuple(names[names.index(entry)] for entry in _texts(raw.get("background", [])))
        pairs = [tuple(names.index(entry) for entry in _texts(pair)) for pair in raw.get("mirrored", [])]
        mirrored = tuple((left, right) for left, right in pairs)
    except (ValueError, TypeError):
        raise WeightsError(
            f"the class list {path} has a background or a mirrored pair that is no class of it"
        ) from None
    return ClassList(name, str(raw.get("title", name)), names, background, mirrored, _shortest(raw, names, path))


def _shortest(raw: Any, names: tuple[str, ...], path: Path) -> tuple[float, ...]:
    lengths = raw.get("shortest") or {}
    try:
        pixels = {names.index(str(name)): float(length) for name, length in lengths.items()}
    except (AttributeError, ValueError, TypeError):
        raise WeightsError(
            f"the class list {path} must say under 'shortest' how many pixels long its classes are, such as wire: 64"
        ) from None
    if pixels and not raw.get("background"):
        raise WeightsError(f"the class list {path} has a shortest length but no background for what is shorter")
    return tuple(pixels.get(i, 0.0) for i in range(len(names))) if pixels else ()


def _texts(raw: Iterable[Any] | None) -> tuple[str, ...]:
    return tuple(str(entry).strip() for entry in raw or () if str(entry).strip())


def _plain(name: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFC", name).lower() if c not in " -_")
