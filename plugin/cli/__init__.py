"""The command line. Each command is a module with `add_parser` and `run`; errors are one sentence on stderr."""

from plugin.cli.main import main

__all__ = ["main"]
