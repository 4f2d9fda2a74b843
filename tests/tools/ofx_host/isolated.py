"""Runs a test's body in a process of its own, so that a plug-in that crashes or hangs ends a test and not the suite.

    @isolated
    def test_something(bundle, shot): ...

The body sees the same fixtures' values, pickled, and the environment of the one that has an `environment`; whatever it
raises fails the test, a crash fails it with the stacks.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import pickle
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

SECONDS = 240
TOOLS = Path(__file__).resolve().parents[1]


def isolated(test: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(test)
    def run(*arguments: Any, **fixtures: Any) -> None:
        own = next((v.environment for v in (*arguments, *fixtures.values()) if hasattr(v, "environment")), {})
        call(test, *arguments, environment=own, **fixtures)

    return run


def call(
    test: Callable[..., Any],
    *arguments: Any,
    environment: Mapping[str, str] | None = None,
    prefix: tuple[str, ...] = (),
    **named: Any,
) -> Any:
    """What a module-level function returns when it runs in another process; raises AssertionError if it failed.

    `prefix` is a command that starts the process, such as setarch.
    """
    with tempfile.TemporaryDirectory() as folder:
        task, answer = Path(folder) / "task", Path(folder) / "answer"
        module = sys.modules[test.__module__].__file__
        task.write_bytes(pickle.dumps((module, test.__qualname__, arguments, named)))
        path = os.pathsep.join(map(str, [TOOLS, Path(str(module)).parent, TOOLS.parents[1]]))
        command = [*prefix, sys.executable, "-X", "faulthandler", "-m", "ofx_host.isolated", str(task), str(answer)]
        process = subprocess.Popen(
            command,
            env={**os.environ, "PYTHONPATH": path, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.send_signal(6)  # faulthandler prints where every thread is
            output, _ = process.communicate()
            raise AssertionError(f"{test.__name__} hangs:\n{output[-6000:]}") from None
        if not answer.exists():
            raise AssertionError(f"{test.__name__} ended with status {process.returncode}:\n{output[-12000:]}")
        good, value = pickle.loads(answer.read_bytes())
        if not good:
            raise AssertionError(f"{value}\n{output[-4000:]}")
        if process.returncode:
            raise AssertionError(f"{test.__name__} crashed in the end ({process.returncode}):\n{output[-12000:]}")
        return value


def main() -> int:
    """The other process."""
    task, answer = Path(sys.argv[1]), Path(sys.argv[2])
    module_path, name, arguments, named = pickle.loads(task.read_bytes())
    try:
        function = getattr(_module(module_path), name)
        result = (True, getattr(function, "__wrapped__", function)(*arguments, **named))
    except BaseException as error:
        result = (False, "".join(traceback.format_exception(error)))
    answer.write_bytes(pickle.dumps(result))
    return 0


def _module(path: str) -> Any:
    name = Path(path).stem
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.exit(main())
