"""`fetch`: published weights from their publisher, a mirror or a folder into the store."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from models.weights import hashes, registry, store
from models.weights.download import Gone, Policy, Unreachable, download
from models.weights.errors import WeightsError
from models.weights.formats.checkpoint import SUFFIXES
from models.weights.importing import Imported, import_file
from models.weights.reference import resolve
from models.weights.registry import Entry

# A folder, or an address, that has the published files under their published names.
MIRROR = "CLEANPLATE_WEIGHTS_FROM"


class LicenceNotAccepted(WeightsError):
    """The terms of the weights ask for an explicit yes that was not given."""


def fetch(
    name: str,
    *,
    accept_licence: bool = False,
    source: str | None = None,
    replace: bool = False,
    policy: Policy | None = None,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
    say: Callable[[str], None] = lambda sentence: None,
) -> Imported:
    """Bring published weights here, check them and import them; at once if they are here already.

    `accept_licence` is the user's yes to terms that restrict commercial work or passing on. `source` is a folder or an
    address to take the file from instead of the publisher's (default: $CLEANPLATE_WEIGHTS_FROM); it has the file under
    its published name, or as NAME.pth, which is the only way for files whose published names vary. The file's sha256 is
    checked; where the publisher states none, that of the first good download is kept and checked from then on.

    Raises LicenceNotAccepted; WeightsError if the file cannot be had or is not what it should be. A wrong file is kept
    aside as `.rejected`, an unfinished one is continued by the next call.
    """
    entry = registry.entry(name)
    if entry.bundled:
        return Imported(resolve(name), already=True)
    if store.place(name).is_file() and not replace:
        return Imported(resolve(name), already=True)
    source = source or os.environ.get(MIRROR) or ""
    places = _places(entry, source)
    if not places:
        raise WeightsError(f"{name} cannot be fetched by a program; {_by_hand(entry)}")
    require_consent(entry, accept_licence)
    if source and "://" not in source:
        return _from_folder(entry, Path(source).expanduser(), replace)
    with store.locked(f"fetch-{name}", f"another process is fetching {name}", say):
        if store.place(name).is_file() and not replace:
            return Imported(resolve(name), already=True)
        part = downloads() / f"{name}.part"
        try:
            url = _download(places, part, policy or Policy(), progress, say)
        except Unreachable as error:
            raise WeightsError(f"{error}; {_by_hand(entry)}; what has arrived is kept") from None
        except WeightsError as error:
            raise WeightsError(f"{error}; {_by_hand(entry)}") from None
        return _accept(entry, part, url.rpartition("/")[2], url, replace)


def _places(entry: Entry, source: str) -> list[str]:
    """Where to ask: the publisher, or for a mirror every name the file may have there, the published one first."""
    if not source:
        return [entry.url] if entry.url else []
    names = [entry.file, entry.file.rpartition("/")[2], *entry.variants, f"{entry.id}.pth"]
    return [f"{source.rstrip('/')}/{name}" for name in dict.fromkeys(names) if "*" not in name]


def _download(
    places: list[str],
    part: Path,
    policy: Policy,
    progress: Callable[[int, int | None], None],
    say: Callable[[str], None],
) -> str:
    """Brings the first of the places that there is to `part`; returns it. Raises as `download`."""
    for place in places[:-1]:
        try:
            download(place, part, policy, progress, say)
        except Gone as error:
            say(str(error))
        else:
            return place
    download(places[-1], part, policy, progress, say)
    return places[-1]


def require_consent(entry: Entry, given: bool) -> None:
    """Raises LicenceNotAccepted if the terms need a yes and there is none."""
    if entry.licence.ask and not given:
        raise LicenceNotAccepted(
            f"{entry.id} is under {entry.licence.word} ({entry.licence.use}); if that suits you, "
            f"run: cleanplate weights fetch {entry.id} --accept-licence"
        )


def downloads() -> Path:
    """Where downloads are until they are complete and checked. Raises WeightsError if it cannot be made."""
    folder = store.make_folder() / "downloads"
    folder.mkdir(exist_ok=True)
    return folder


def pinned(name: str) -> str:
    """The sha256 a download has to have: the publisher's, else that of the first good one, else an empty text."""
    stated = registry.entry(name).sha256
    return stated or str(store.read_json(_pins()).get(name, {}).get("sha256", ""))


def _accept(entry: Entry, part: Path, file: str, url: str, replace: bool) -> Imported:
    digest = hashes.sha256(part, fresh=True)
    wanted = pinned(entry.id)
    if wanted and digest != wanted:
        aside = _reject(part, file)
        raise WeightsError(
            f"{file} is not the file it should be: its sha256 is {digest[:16]}... instead of {wanted[:16]}...; "
            f"it was refused and kept as {aside}"
        )
    # Messages name the file as published.
    named = downloads() / entry.id / file
    named.parent.mkdir(exist_ok=True)
    os.replace(part, named)
    part.with_name(part.name + ".json").unlink(missing_ok=True)
    try:
        done = import_file(named, as_entry=entry.id, replace=replace, origin=url)
    except WeightsError as error:
        aside = _reject(named, file)
        raise WeightsError(f"what came from {url} was refused and kept as {aside}: {error}") from None
    finally:
        named.unlink(missing_ok=True)
        named.parent.rmdir()
    notes = done.notes
    if not wanted:
        _pin(entry.id, {"sha256": digest, "url": url})
        notes += (f"its publisher states no checksum; from now on it is expected to be sha256 {digest}",)
    return Imported(done.ref, done.already, notes)


def _from_folder(entry: Entry, folder: Path, replace: bool) -> Imported:
    if not folder.is_dir():
        raise WeightsError(f"there is no folder {folder}")
    there = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    called = [path for path in there if path.stem == entry.id and path.suffix.lower() in SUFFIXES]
    names = [path for path in there if entry.matches_file(path.name)]
    nested = [path for path in names if str(path).endswith("/" + entry.file)]
    found = called or nested or names
    if not found:
        raise WeightsError(f"{folder} holds no file {entry.file} (nor another form of {entry.id})")
    if len(found) > 1:
        listed = ", ".join(str(path.relative_to(folder)) for path in found[:5])
        raise WeightsError(
            f"{folder} holds several files that may be {entry.id} ({listed}); rename the right one to {entry.id}.pth"
        )
    return import_file(found[0], as_entry=entry.id, replace=replace)


def _reject(path: Path, file: str) -> Path:
    aside = downloads() / f"{file}.rejected"
    os.replace(path, aside)
    return aside


def _by_hand(entry: Entry) -> str:
    file, where = entry.file.rpartition("/")[2], entry.url or entry.page
    how = f"run: cleanplate weights import {file} --as {entry.id}"
    return f"download {file} from {where} on any machine, bring it here and {how}"


def _pins() -> Path:
    return store.folder() / "pins.json"


def _pin(name: str, what: dict[str, Any]) -> None:
    with store.locked():
        store.write_json(_pins(), {**store.read_json(_pins()), name: what})
