"""`cleanplate uninstall natron`, the same as `cleanplate install natron --uninstall`."""

from __future__ import annotations

from typing import Any

from plugin.cli import install


def add_parser(commands: Any) -> None:
    parser = commands.add_parser("uninstall", help="take the nodes out of a compositor again")
    install.add_arguments(parser)
    parser.set_defaults(run=install.remove)
