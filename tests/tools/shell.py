"""A user's shell for tests: commands in a folder of their own, with a worker and weights of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

COMMAND = Path(sys.executable).with_name("cleanplate")


class Shell:
    """A user's shell: its own worker, weights and folders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "run").mkdir(mode=0o700)
        self.environment = {
            **os.environ,
            "CLEANPLATE_RUNTIME": str(folder / "run"),
            "CLEANPLATE_HOME": str(folder / "home"),
            "CLEANPLATE_IDLE_SECONDS": "20",
            "CLEANPLATE_THREADS": "1",
        }

    def start(self, *arguments: object) -> subprocess.Popen:
        command = [str(COMMAND), *map(str, arguments)]
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def run(self, *arguments: object, status: int = 0) -> str:
        """Runs a command, expects the exit status and no traceback, and returns what it printed."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=240)
        assert "Traceback" not in err, err
        assert process.returncode == status, out + err
        return out + err

    def worker_pid(self) -> int:
        return json.loads(self.run("worker", "status", "--json", "--device", "cpu"))["pid"]
