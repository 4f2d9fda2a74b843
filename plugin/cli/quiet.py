"""The terminal is the command's own: what decoders print to it by themselves goes nowhere."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def libraries_quiet() -> Iterator[None]:
    """Parts `sys.stderr`, with all that Python says there, from descriptor 2, where libpng, libtiff and others write.

    A process that is started meanwhile and is to be heard gets `stderr=sys.stderr`. Where `sys.stderr` is not
    descriptor 2 it stays what it is.
    """
    before = sys.stderr
    try:
        ours = before.fileno() == 2
        kept = os.dup(2)
    except (OSError, ValueError, AttributeError):
        # There is nothing that could be written to.
        yield
        return
    null = os.open(os.devnull, os.O_WRONLY)
    if ours:
        before.flush()
        sys.stderr = open(kept, "w", 1, before.encoding, before.errors, closefd=False)  # noqa: SIM115
        faulthandler.enable(sys.stderr)
    os.dup2(null, 2)
    os.close(null)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        if ours:
            faulthandler.enable(before)
            sys.stderr = before
        os.close(kept)
