"""`cleanplate install natron`, `uninstall natron`: puts the nodes into a compositor, and takes them away."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from install import natron, natron_check, systems
from install import natron_places as places
from install.finding import Finding

HOSTS = ("natron",)


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "install",
        help="put the nodes into a compositor",
        description="Copies the OpenFX bundle that make plugin built, the toolbar and the ready-made groups to where "
        "the compositor finds them. Doing it again replaces them.",
    )
    add_arguments(parser)
    parser.add_argument("--uninstall", action="store_true", help="take away exactly what was installed")
    parser.set_defaults(run=run)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("host", choices=HOSTS, metavar="HOST", help=f"the compositor: {', '.join(HOSTS)}")
    parser.add_argument(
        "--to",
        metavar="FOLDER",
        type=Path,
        help="put everything below this folder, for instance one that a studio shares, and change nothing else; "
        "default: the user's own folders",
    )


def run(options: argparse.Namespace) -> int:
    return remove(options) if options.uninstall else put(options)


def put(options: argparse.Namespace) -> int:
    """Installs and says where things are, and what a shared folder needs besides."""
    where = natron.install(options.to)
    print(f"nodes:              {where.bundle} ({systems.sentence(where.bundle)})")
    print(f"toolbar and groups: {where.scripts}")
    if where.shared:
        _explain_shared(where)
        return 0
    print(f"Natron's preferences ({places.settings_file()}) name {where.folder}, so that it finds the nodes.")
    try:
        natron_check.check()
    except Finding as finding:
        print(f"But: {finding}")
        return 1
    print("Start Natron: the nodes are in the toolbar and the Tab menu under Cleanplate, the groups in its menu.")
    return 0


def remove(options: argparse.Namespace) -> int:
    """Takes away what `put` installed."""
    if not natron.is_installed(options.to):
        print(f"nothing is installed in {natron.target(options.to).folder}")
        return 0
    for sentence in natron.uninstall(options.to):
        print(sentence)
    print("the nodes, the toolbar and the groups are no longer in Natron")
    return 0


def _explain_shared(where: natron.Target) -> None:
    """A folder of one's own choice is found only if Natron is told."""
    if places.found_in(where.folder, places.bundle_places()) is None:
        print(f"Natron does not look there by itself: set OFX_PLUGIN_PATH={where.folder} where it is started.")
    if places.found_in(where.scripts, places.script_places()) is None:
        print(f"For the toolbar and the groups set NATRON_PLUGIN_PATH={where.scripts}.")
