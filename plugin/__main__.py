"""`python -I -m plugin`: the command `cleanplate`, as `install/cleanplate` starts it.

Ctrl-C ends it quietly from the first moment on, and no Python that it starts takes up what is set for others.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

INTERRUPTED = 130


def _leave(number: int, frame: FrameType | None) -> None:
    """Nothing has begun yet, or all is over."""
    os.write(2, b"cleanplate: stopped\n")
    os._exit(INTERRUPTED)


def _answer_interrupts() -> None:
    """Until commands run, and after them. Whoever starts a background job keeps Ctrl-C, and Ctrl-\\, from it."""
    if signal.getsignal(signal.SIGQUIT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _leave)


def _let_commands_answer() -> None:
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _isolate() -> None:
    """This Python was started isolated (-I); those that it starts are by this."""
    for name in [name for name in os.environ if name.startswith("PYTHON")]:
        del os.environ[name]
    os.environ["PYTHONSAFEPATH"] = "1"


def start() -> int:
    """Runs the command line of this process; returns its exit status."""
    _answer_interrupts()
    _isolate()
    sys.argv[0] = "cleanplate"
    for stream in (sys.stdout, sys.stderr):
        # A path need not be text in the terminal's encoding, nor in any.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    from plugin.cli import main

    status = main(ready=_let_commands_answer)
    _answer_interrupts()
    return status


if __name__ == "__main__":
    sys.exit(start())
