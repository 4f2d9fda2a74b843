"""What a face takes over from another one beside it, so that what two nodes have in common is said once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from nodes.faces.keys import Wrong, in_few_words

HOUSE = Path(__file__).parents[1]
KINDS = {"inputs": "input", "parameters": "parameter", "passes": "pass"}
OF = "of"


def completed(path: Path, section: str, entries: Iterable[Any], document: Callable[[Path], Any]) -> list[Any]:
    """The entries of a face's `section`; one with `of` is that of the same name in the face which `of` names, beside it
    or of the house, but for the keys it says itself.

    `document` gives what a face's file holds. Raises Wrong where there is no such face or entry.
    """
    return [_completed(path, section, entry, document) for entry in entries]


def _completed(path: Path, section: str, entry: Any, document: Callable[[Path], Any]) -> Any:
    if not isinstance(entry, dict) or OF not in entry:
        return entry
    what, other = KINDS[section], entry[OF]
    where = f"{what} '{in_few_words(entry.get('name'))}'"
    folders = [path.parent, HOUSE] if isinstance(other, str) and other.isidentifier() else []
    faces = [folder / f"{other}.yaml" for folder in folders if (folder / f"{other}.yaml").is_file()]
    if not faces:
        raise Wrong(
            f"{where}: 'of' must be a face beside this one or of the house, such as inpaint, not {in_few_words(other)}"
        )
    there = document(faces[0])
    theirs = there.get(section) if isinstance(there, dict) else None
    for one in theirs if isinstance(theirs, list) else []:
        if isinstance(one, dict) and one.get("name") == entry.get("name"):
            return {**one, **{key: value for key, value in entry.items() if key != OF}}
    raise Wrong(f"{where}: there is none of that name in {faces[0].name}")
