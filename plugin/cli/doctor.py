"""`cleanplate doctor`: examines the machine as a render would find it, and says what to do about what is missing."""

from __future__ import annotations

import argparse
from typing import Any

from install import machine
from models.weights.errors import WeightsError
from nodes.errors import CleanplateError
from plugin.cli.worker import model
from plugin.worker.client.worker import Worker


def add_parser(commands: Any) -> None:
    parser = commands.add_parser("doctor", help="examine this machine and say what is missing")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda:N")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Prints one line per check; 0 if nothing is in the way of a render. Missing weights stop only their node."""
    healthy = True
    for name, check in [*machine.checks(), ("worker", lambda: _worker(options.device))]:
        try:
            mark, text = "ok", check()
        except WeightsError as error:
            mark, text = "missing", str(error)
        except (machine.Finding, CleanplateError) as error:
            mark, text, healthy = "PROBLEM", str(error), False
        for line in text.splitlines():
            print(f"{mark:<8}{name:<28}{line}", flush=True)
    return 0 if healthy else 1


def _worker(device: str) -> str:
    with Worker(device, on_note=lambda text: None) as worker:
        status = worker.status()
    first = (
        f"runs on {status['device']} ({status['device_name']}), process {status['pid']}, torch {status['torch']}, "
        f"log {status['log']}"
    )
    return "\n".join([first, *(f"has loaded {model(entry)}" for entry in status["models"])])
