"""`cleanplate COMMAND ...`: finds the command, runs it, turns errors into sentences and exit codes."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version

from models import wording
from nodes.errors import Cancelled, CleanplateError
from plugin.cli.quiet import libraries_quiet
from plugin.cli.usage import CommandParser, negative_values_joined
from plugin.cli.words import SHELL, say_error

# Command -> module, in the order of the help. Modules are imported when their command is asked for.
COMMANDS = {
    "render": ("plugin.cli.render", "render the passes of a shot"),
    "remove": ("plugin.cli.remove", "find wires, markers or stands and fill in what was behind them"),
    "key": ("plugin.cli.key", "pull a matte of what is inside a loose shape, without a clean plate"),
    "learn": ("plugin.cli.learn", "teach a network one shot from key frames"),
    "nodes": ("plugin.cli.nodes", "list the nodes and their parameters"),
    "weights": ("plugin.cli.weights", "list, import, fetch and check trained weights"),
    "worker": ("plugin.cli.worker", "show or stop the worker process"),
    "doctor": ("plugin.cli.doctor", "examine this machine and say what is missing"),
    "install": ("plugin.cli.install", "put the nodes into a compositor"),
    "uninstall": ("plugin.cli.uninstall", "take the nodes out of a compositor again"),
    "demo": ("plugin.cli.demo", "make the demo shot and render it"),
    "train": ("plugin.cli.train", "train a network"),
}
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None, ready: Callable[[], None] = lambda: None) -> int:
    """Runs a command; returns 0 on success, 1 with a sentence on stderr, 2 on wrong usage, 130 after Ctrl-C.

    `ready` is called when the command is loaded: from then on a KeyboardInterrupt is answered.
    """
    with wording.speaking(SHELL):
        return _answered(list(sys.argv[1:] if arguments is None else arguments), ready)


def _answered(arguments: list[str], ready: Callable[[], None]) -> int:
    as_json = "--json" in arguments
    try:
        options = _parser(arguments[0] if arguments else "").parse_args(negative_values_joined(arguments))
        ready()
        with libraries_quiet():
            return int(options.run(options))
    except CleanplateError as error:
        say_error(str(error), as_json)
        return 1
    except (KeyboardInterrupt, Cancelled):
        say_error("stopped; finished frames are kept", as_json)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; keep the interpreter from complaining about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _parser(command: str) -> argparse.ArgumentParser:
    parser = CommandParser(
        prog="cleanplate", description="Neural matting and clean-up nodes, from the shell.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"cleanplate {version('cleanplate')}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, (module, summary) in COMMANDS.items():
        if command == name:
            importlib.import_module(module).add_parser(commands)
        else:
            commands.add_parser(name, help=summary)
    return parser
