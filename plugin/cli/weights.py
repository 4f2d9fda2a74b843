"""`cleanplate weights list|import|fetch|check`: which trained weights there are, and getting them here safely."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from models.weights import Imported, WeightsError, fetching, listing, registry, resolve, store
from models.weights.formats.checkpoint import SUFFIXES
from nodes.plain_text import one_line
from plugin.cli.words import say_error

_COLUMNS = 100
_SOURCE_HELP = (
    "a folder or an address that has the published files under their published names, or as NAME.pth, instead of the "
    f"publisher's (also ${fetching.MIRROR}); a folder serves machines without a network"
)


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "weights",
        help="list, import, fetch and check trained weights",
        description="Trained weights: which there are and under which terms, and getting them here. Files of any "
        "format are read without running anything that is in them. They are kept in $CLEANPLATE_HOME/weights "
        f"(now {store.folder()}).",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)

    listed = actions.add_parser("list", help="what there is: for which node, how large, under which terms")
    listed.add_argument("--node", metavar="NODE", help="only for this node, such as video-matte")
    _finish(listed, _list)

    imported = actions.add_parser("import", help="take in weights files that are on this machine")
    imported.add_argument("files", nargs="+", metavar="FILE", help="a file, or a folder of which every weights file")
    imported.add_argument("--as", dest="entry", metavar="NAME", help="which published weights the file is")
    imported.add_argument("--name", metavar="NAME", help="what to call the weights (default: by the file)")
    imported.add_argument("--licence", metavar="TEXT", help="the terms of weights the registry does not know")
    imported.add_argument("--member", metavar="FILE", help="which file of a zip archive that holds several")
    imported.add_argument("--replace", action="store_true", help="put it in place of other weights of that name")
    _finish(imported, _import)

    fetched = actions.add_parser("fetch", help="download published weights, check and import them")
    fetched.add_argument(
        "names",
        nargs="+",
        metavar="NAME",
        help="names from 'cleanplate weights list'; of two halves either brings both",
    )
    fetched.add_argument("--from", dest="source", metavar="SOURCE", help=_SOURCE_HELP)
    fetched.add_argument("--accept-licence", action="store_true", help="say yes to terms that restrict their use")
    fetched.add_argument("--replace", action="store_true", help="fetch even if they are here")
    _finish(fetched, _fetch)

    checked = actions.add_parser("check", help="verify hashes, load the weights and try them on a small picture")
    checked.add_argument("names", nargs="*", metavar="NAME", help="names or files (default: all that are here)")
    _finish(checked, _check)


def run(options: argparse.Namespace) -> int:
    """Runs the chosen action; returns 0 if all of it went well, else 1, with a sentence per problem on stderr."""
    return int(options.action(options))


def _finish(parser: argparse.ArgumentParser, action: Callable[[argparse.Namespace], int]) -> None:
    parser.add_argument("--json", action="store_true", help="print machine-readable JSON")
    parser.set_defaults(run=run, action=action)


def _list(options: argparse.Namespace) -> int:
    with _reporting(as_json=options.json) as failures:
        node = registry.node(options.node).id if options.node else ""
        rows = [row for row in listing.rows() if node in ("", row.node)]
        if options.json:
            print(json.dumps([dataclasses.asdict(row) for row in rows], indent=2))
        else:
            print(table(rows))
    return bool(failures)


def table(rows: list[listing.WeightsRow]) -> str:
    """The weights as text for a terminal: a heading per node, two lines per set of weights."""
    lines: list[str] = []
    heading = None
    for row in rows:
        if row.node != heading:
            heading = row.node
            lines += ["", heading or "Other networks"]
        mark = "*" if row.default else " "
        size = f"{row.size / 1e6:,.0f} MB" if row.size else "?"
        lines.append(one_line(f"{mark} {row.name:<32}{row.state:<10}{size:>8}  {row.what}".rstrip()))
        lines += textwrap.wrap(
            one_line(row.problem or f"{row.licence}: {row.use}"),
            _COLUMNS,
            initial_indent=" " * 6,
            subsequent_indent=" " * 6,
        )
    lines += [
        "",
        "* is what the node uses when none are named.  Bundled and imported weights are ready to use; available ones",
        "come with 'cleanplate weights fetch NAME'; the others a person has to download: see the page in --json, then",
        "'cleanplate weights import FILE --as NAME'.",
    ]
    return "\n".join(lines[1:])


def _import(options: argparse.Namespace) -> int:
    from models.weights import import_file

    with _reporting(as_json=options.json) as failures:
        files = [file for given in options.files for file in _weights_files(Path(given))]
        if len(files) > 1 and (options.entry or options.name):
            raise WeightsError("--as and --name say what one file is; import the files one by one")
    for file in [] if failures else files:
        with _reporting(failures, options.json):
            done = import_file(
                file,
                as_entry=options.entry,
                name=options.name,
                licence=options.licence,
                member=options.member,
                replace=options.replace,
            )
            _tell(done, f"{file.name}", options.json)
    return bool(failures)


def _weights_files(given: Path) -> Iterator[Path]:
    if not given.is_dir():
        yield given
        return
    found = [path for path in sorted(given.rglob("*")) if path.is_file() and _looks_right(path)]
    if not found:
        raise WeightsError(f"the folder {given} holds no weights files")
    yield from found


def _looks_right(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES or bool(registry.by_file(path.name))


def _fetch(options: argparse.Namespace) -> int:
    failures: list[str] = []
    names: list[str] = []
    for name in options.names:
        with _reporting(failures, options.json):
            names += registry.together(name)
    agreed: set[str] = set()
    for name in dict.fromkeys(names):
        with _reporting(failures, options.json), _Progress(name, options.json) as progress:
            licence = registry.entry(name).licence.id
            accepted = options.accept_licence or licence in agreed or _consent(name)
            agreed |= {licence} if accepted else set()
            done = fetching.fetch(
                name,
                accept_licence=accepted,
                source=options.source,
                replace=options.replace,
                progress=progress.update,
                say=progress.say,
            )
            progress.close()
            _tell(done, name, options.json)
    return bool(failures)


def _consent(name: str) -> bool:
    """Asks on a terminal whether the terms suit the user; no where there is nobody to ask or nothing to agree to."""
    licence = registry.entry(name).licence
    if not licence.ask or store.place(name).exists() or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print(f"{name} is under {licence.word}: {licence.use}.\n{textwrap.fill(licence.terms, _COLUMNS)}", file=sys.stderr)
    print("Does that suit you? Type yes to go on: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() == "yes"


class _Progress:
    """A bar on a terminal, a line now and then in a log, events as JSON for a farm."""

    def __init__(self, name: str, as_json: bool) -> None:
        self.name, self.as_json = name, as_json
        self.bar: Any = None
        self.told = -1

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def update(self, done: int, total: int | None) -> None:
        tenth = 10 * done // total if total else done // 50_000_000
        if self.as_json or not sys.stderr.isatty():
            if tenth != self.told:
                self.told = tenth
                self._line("progress", done=done, total=total)
            return
        if self.bar is None:
            self.bar = tqdm(desc=self.name, total=total, unit="B", unit_scale=True, initial=0)
        self.bar.n = done
        self.bar.refresh()

    def say(self, sentence: str) -> None:
        if self.as_json:
            _event("note", name=self.name, text=sentence)
        else:
            tqdm.write(f"{self.name}: {sentence}", file=sys.stderr)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None

    def _line(self, event: str, done: int, total: int | None) -> None:
        if self.as_json:
            _event(event, name=self.name, done=done, total=total)
        else:
            of = f" of {total / 1e6:,.1f}" if total else ""
            print(f"{self.name}: {done / 1e6:,.1f}{of} MB", file=sys.stderr)


def _check(options: argparse.Namespace) -> int:
    from models.weights.checking import check

    names = options.names or [*store.imported(), *(n for n in store.bundled() if n not in store.imported())]
    if not names and not options.json:
        print("there are no weights on this machine yet; 'cleanplate weights list' shows what there is")
    failures: list[str] = []
    for name in names:
        with _reporting(failures, options.json):
            result = check(resolve(name))
            if options.json:
                _event("checked", **_facts(result.ref), hash_known=result.hash_known, self_test=result.ran)
                continue
            tried = "self-test passed" if result.ran else "no self-test for this network"
            known = "hash as recorded" if result.hash_known else "no recorded hash to compare with"
            print(one_line(f"{result.ref.name}: good ({known}, loads, {tried})"))
            print(f"  {one_line(result.ref.summary())}")
    return bool(failures)


def _tell(done: Imported, what: str, as_json: bool) -> None:
    ref = done.ref
    if as_json:
        _event("imported", **_facts(ref), already=done.already, notes=list(done.notes))
        return
    state = "is here already as" if done.already or ref.state == "bundled" else "is now here as"
    print(one_line(f"{what} {state} '{ref.name}', {_size(ref.path)}, sha256 {ref.sha256[:16]}"))
    licence = registry.licence(ref.licence)
    print(
        textwrap.fill(one_line(f"{licence.word}: {ref.terms}"), _COLUMNS, initial_indent="  ", subsequent_indent="  ")
    )
    for note in done.notes:
        print(textwrap.fill(one_line(f"note: {note}"), _COLUMNS, initial_indent="  ", subsequent_indent="  "))


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1e6:,.1f} MB"


def _facts(ref: Any) -> dict[str, Any]:
    return {**dataclasses.asdict(ref), "path": str(ref.path)}


def _event(event: str, /, **fields: Any) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


@contextmanager
def _reporting(failures: list[str] | None = None, as_json: bool = False) -> Iterator[list[str]]:
    """Prints a WeightsError as a sentence and remembers it, so that the next file still has its turn."""
    failures = [] if failures is None else failures
    try:
        yield failures
    except WeightsError as error:
        failures.append(str(error))
        say_error(str(error), as_json)
