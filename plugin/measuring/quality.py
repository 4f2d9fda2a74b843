"""`make quality`: how good the bundled weights are, beside what needs none, on fixed scenes that no training has seen.

python -m plugin.measuring.quality [--nodes background-matte,inpaint] [--pictures FOLDER] [--weights NODE=FILE]

The README's table is what this prints.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from models.weights import registry
from plugin.measuring import quality_fills, quality_masks, quality_mattes
from plugin.measuring.quality_table import Table

TABLES: dict[str, Callable[[Sequence[Path]], Table]] = {
    "background-matte": quality_mattes.background_matte,
    "video-matte": quality_mattes.video_matte,
    "inpaint": quality_fills.inpaint,
    "segment": quality_masks.segment,
}


def main(arguments: Sequence[str] | None = None) -> int:
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
    options = parser.parse_args(arguments)
    given = [entry.partition("=")[::2] for entry in options.weights]
    for name in [*options.nodes.split(","), *(node for node, _ in given)]:
        if name not in TABLES:
            parser.error(f"there is no node '{name}' to measure; there are {', '.join(TABLES)}")
    for name in options.nodes.split(","):
        began = time.monotonic()
        table = measure(name, [Path(file) for node, file in given if node == name])
        print("\n".join(table.lines()), end="\n\n", flush=True)
        if options.pictures and table.cases:
            path = options.pictures / f"quality_{name.replace('-', '_')}.jpg"
            table.write_pictures(path)
            print(f"{path}", file=sys.stderr)
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return 0


def measure(command: str, more: Sequence[Path] = ()) -> Table:
    """The table of a node, by its command. Weights that should be bundled and are not here get a row that says so."""
    there, missing = bundled(command)
    table = TABLES[command]([*there, *more])
    table.rows += [(f"bundled {name}", "the file is missing") for name in missing]
    if not there and not missing:
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
