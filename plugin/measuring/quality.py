"""`make quality`: how good the bundled weights are, beside what needs none, on fixed scenes that no training has seen.

python -m plugin.measuring.quality [--nodes background-matte,inpaint] [--pictures FOLDER] [--weights NODE=FILE]
python -m plugin.measuring.quality --nodes removal,key-without-plate [--clip FILM]
python -m plugin.measuring.quality --nodes learned [--minutes 3] [--fifth-key] [--uhd] [--subject PNG] [--clip FILM]

The README's table is what this prints.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from models.weights import registry
from plugin.measuring import (
    quality_fills,
    quality_keys,
    quality_learned,
    quality_masks,
    quality_mattes,
    quality_removal,
)
from plugin.measuring.learning import Budget
from plugin.measuring.quality_table import Table

# What is measured on shots, with whatever weights there are: drawn ones or one's own.
ON_SHOTS: Mapping[str, Callable[[Path | None], Table]] = {
    "removal": quality_removal.removal,
    "key-without-plate": quality_keys.keys,
}
Tables = Mapping[str, Callable[[Sequence[Path]], Table]]


def _on_shots(clip: Path | None) -> Tables:
    def of(measured: Callable[[Path | None], Table]) -> Callable[[Sequence[Path]], Table]:
        return lambda _: measured(clip)

    return {name: of(measured) for name, measured in ON_SHOTS.items()}


TABLES: Tables = {
    "background-matte": quality_mattes.background_matte,
    "video-matte": quality_mattes.video_matte,
    "inpaint": quality_fills.inpaint,
    **_on_shots(None),
    "segment": quality_masks.segment,
    "learned": lambda starts: quality_learned.learned(starts, quality_learned.How()),
}


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    tables: Tables = {
        **TABLES,
        "learned": partial(quality_learned.learned, how=_how(options)),
        **_on_shots(options.clip),
    }
    for name in options.nodes.split(","):
        began = time.monotonic()
        table = measure(name, [Path(file) for node, file in options.weights if node == name], tables)
        print("\n".join(table.lines()), end="\n\n", flush=True)
        if options.pictures and table.cases:
            path = options.pictures / f"quality_{name.replace('-', '_')}.jpg"
            table.write_pictures(path)
            print(f"{path}", file=sys.stderr)
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make quality", description=__doc__)
    parser.add_argument("--nodes", default=",".join(TABLES), help="which to measure, by their commands")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="where good and bad cases go, as JPEG")
    parser.add_argument(
        "--weights",
        action="append",
        default=[],
        metavar="NODE=FILE",
        help="measure this file as well as what is bundled",
    )
    taught = parser.add_argument_group("learned", "what is learned from key frames")
    taught.add_argument("--minutes", type=float, default=10.0, help="for how long each shot is learned, default: 10")
    taught.add_argument("--steps", type=int, help="in how many steps instead, for a machine that is busy")
    taught.add_argument("--fifth-key", action="store_true", help="also add a fifth key, where it says and elsewhere")
    taught.add_argument("--uhd", action="store_true", help="also measure the memory for large frames")
    taught.add_argument("--subject", type=Path, metavar="PNG", help="a subject with alpha, for the drawn ones")
    parser.add_argument(
        "--clip", type=Path, metavar="FILM", help="for shots: a film or frame.%%04d.png for the drawn background"
    )
    options = parser.parse_args(arguments)
    options.weights = [entry.partition("=")[::2] for entry in options.weights]
    for name in [*options.nodes.split(","), *(node for node, _ in options.weights)]:
        if name not in TABLES:
            parser.error(f"there is no node '{name}' to measure; there are {', '.join(TABLES)}")
    return options


def _how(options: argparse.Namespace) -> quality_learned.How:
    return quality_learned.How(
        Budget(options.minutes, options.steps),
        fifth=options.fifth_key,
        uhd=options.uhd,
        subject=options.subject,
        clip=options.clip,
    )


def measure(command: str, more: Sequence[Path] = (), tables: Tables | None = None) -> Table:
    """The table of a node, by its command. Weights that should be bundled and are not here get a row that says so."""
    if command in ON_SHOTS:
        return (tables or TABLES)[command]([])
    there, missing = bundled(command)
    table = (tables or TABLES)[command]([*there, *more])
    table.rows += [(f"bundled {name}", "the file is missing") for name in missing]
    if not there and not missing and not registry.node(command).made_by:
        table.rows.append(("bundled weights", f"there are none for {table.node} yet"))
    return table


def bundled(command: str) -> tuple[list[Path], list[str]]:
    """Files of a node's bundled weights, and the names of those whose file is missing."""
    node = registry.node(command).id
    files = [
        registry.BUNDLED / f"{entry.id}.safetensors"
        for entry in registry.entries().values()
        if entry.bundled and entry.node == node
    ]
    return [file for file in files if file.exists()], [file.stem for file in files if not file.exists()]


if __name__ == "__main__":
    sys.exit(main())
