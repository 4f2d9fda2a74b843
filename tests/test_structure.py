"""The house rules that a machine can check: import direction, linting, typing, licence, what the client may import."""

import ast
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parents[1]
ALLOWED = {
    "models": {"models"},
    "nodes": {"models", "nodes"},
    "plugin": {"models", "nodes", "plugin", "install"},
    "install": {"models", "nodes", "install"},
}
OURS = set(ALLOWED)
SUFFIXES = {".py", ".cpp", ".h"}


def imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_imports_run_one_way(package):
    wrong = {
        str(path.relative_to(HOUSE)): sorted(imports(path) & OURS - ALLOWED[package])
        for path in (HOUSE / package).rglob("*.py")
        if imports(path) & OURS - ALLOWED[package]
    }
    assert not wrong


def test_a_room_is_overlooked_at_a_glance():
    """At most twenty files of code in a folder; what comes beyond belongs into a room of its own."""
    code = [path for root in (*OURS, "tests") for path in (HOUSE / root).rglob("*") if path.suffix in SUFFIXES]
    files = Counter(path.parent.relative_to(HOUSE).as_posix() for path in code)
    assert {"models", "nodes/filling", "plugin/ofx/worker", "tests/nodes"} <= set(files)
    assert not {folder: count for folder, count in files.items() if count > 20}


def run(*command: str) -> None:
    result = subprocess.run([sys.executable, "-m", *command], cwd=HOUSE, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_linting():
    run("ruff", "check", "--no-cache", ".")


def test_formatting():
    run("ruff", "format", "--no-cache", "--check", ".")


def test_formatting_of_the_adapter():
    sources = [str(path) for folder in ("plugin/ofx", "tests/tools") for path in (HOUSE / folder).rglob("*.[ch]*")]
    sources = [path for path in sources if path.endswith((".cpp", ".h"))]
    assert len(sources) > 50
    command = [Path(sys.executable).with_name("clang-format"), "--dry-run", "-Werror", *sources]
    result = subprocess.run(command, cwd=HOUSE, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.timeout(600)
def test_typing():
    run("mypy")


@pytest.mark.parametrize(
    "modules",
    [
        "plugin.cli.main, plugin.cli.render, plugin.rendering.render",
        "plugin.worker.client.worker",
        "nodes.footage.reader",
        "models.weights",
    ],
)
def test_the_client_does_without_torch(modules):
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=HOUSE).returncode == 0


def test_no_registry_address_and_no_big_file_is_committed():
    if not shutil.which("git") or not (HOUSE / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=HOUSE, capture_output=True, text=True, check=True).stdout
    files = [HOUSE / name for name in listed.split("\0") if name]
    weights = [path for path in files if path.match("models/weights/bundled/*.safetensors")]
    sizes = {path: path.stat().st_size for path in files if path.exists()}
    assert not [str(path) for path, size in sizes.items() if size > 16 * 2**20 and path not in weights]
    assert 0 < sum(sizes[path] for path in weights) <= 60_000_000
    for path in files:
        if path.suffix in (".lock", ".toml", ".in", ".txt", ".cfg"):
            text = path.read_text("utf-8")
            assert "index-url" not in text
            assert "://" not in text


def test_a_wheel_holds_every_file_of_the_packages():
    """Packages say by patterns what they bring besides Python; make plugin and install natron need all of it."""
    if not shutil.which("git") or not (HOUSE / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z", *OURS], cwd=HOUSE, capture_output=True, text=True, check=True)
    brought = tomllib.loads((HOUSE / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    patterns = ["*.py", *brought["package-data"]["*"], *brought["script-files"]]
    patterns += [f"models/weights/{pattern}" for pattern in brought["package-data"]["models.weights"]]
    names = [name for name in listed.stdout.split("\0") if name]
    assert not [name for name in names if not any(fnmatch(name, p) or fnmatch(Path(name).name, p) for p in patterns)]
    assert all((HOUSE / package / "py.typed").is_file() for package in OURS)
