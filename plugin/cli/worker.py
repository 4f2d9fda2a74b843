"""`cleanplate worker status|stop`: the process that computes."""

from __future__ import annotations

import argparse
import json
from typing import Any

from nodes.plain_text import one_line
from plugin.worker.client.worker import status_of_running, stop_running
from plugin.worker.protocol.fields import ModelStatus

GIB = 2**30


def add_parser(commands: Any) -> None:
    parser = commands.add_parser("worker", help="show or stop the worker process")
    parser.add_argument("action", choices=("status", "stop"))
    parser.add_argument("--device", default="auto", help="which worker: auto, cpu or cuda:N")
    parser.add_argument("--json", action="store_true", help="print machine-readable JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    if options.action == "stop":
        pid = stop_running(options.device)
        print(f"stopped the worker, process {pid}" if pid else "no worker is running")
        return 0
    status = status_of_running(options.device)
    if options.json:
        print(json.dumps(status, default=str))
    else:
        print(text(status) if status else "no worker is running; the first render starts one")
    return 0


def text(status: dict[str, Any]) -> str:
    """The status as lines for a terminal."""
    lines = [f"{name:<16}{_shown(name, value)}" for name, value in status.items() if name != "models"]
    return "\n".join(lines + [f"{'loaded':<16}{model(entry)}" for entry in status["models"]])


def model(entry: dict[str, Any]) -> str:
    """A loaded network in a line: the weights, their origin, hash and terms, and what they take."""
    status = ModelStatus(**entry)
    size = _shown("bytes", status.bytes)
    return f"{size}, {status.network} in {status.precision}, weights: {one_line(status.sentence)}"


def _shown(name: str, value: Any) -> str:
    if name.endswith(("bytes", "rss", "budget", "memory")) and isinstance(value, int):
        return f"{value / GIB:.2f} GiB"
    if isinstance(value, list | tuple):
        value = "; ".join(", ".join(f"{k} {v}" for k, v in entry.items()) for entry in value) if value else "none"
    return one_line(str(value))
