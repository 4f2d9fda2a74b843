"""`cleanplate train NETWORK`: the recipes of `models.training` from the shell."""

from __future__ import annotations

from typing import Any


def add_parser(commands: Any) -> None:
    from models.training import cli

    parser = commands.add_parser("train", help="train a network")
    cli.add_arguments(parser)
    parser.set_defaults(run=cli.run)
