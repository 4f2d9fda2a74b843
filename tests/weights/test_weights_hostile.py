"""Files made to do harm: nothing in them runs, and they are refused in little memory."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import weights_files as files
from test_weights_damage import DAMAGE, archive

from models import weights
from models.weights import WeightsError
from models.weights.formats.checkpoint import Checkpoint

ROOT = Path(__file__).parents[2]


def commands(marker: Path) -> dict[str, bytes]:
    """Pickles that would create `marker`, by every road a pickle has to a call."""
    line = f"touch {marker}"
    text = line.encode()
    evil = files.Evil(os.system, line)
    rebuilt = b"ctorch._tensor\n_rebuild_from_type_v2\n(cos\nsystem\nctorch\nTensor\n(V" + text + b"\ntNtR."
    return {
        "reduce": pickle.dumps(evil, 2),
        "protocol 0": pickle.dumps(evil, 0),
        "protocol 5": pickle.dumps(evil, 5),
        "beside weights": pickle.dumps({"state_dict": {"a": 1}, "callbacks": [evil]}, 2),
        "as a key": b"}" + pickle.dumps(evil, 2)[2:-1] + b"K\x01s.",
        "inst": b"(V" + text + b"\nios\nsystem\n.",
        "obj": b"(cos\nsystem\nV" + text + b"\no.",
        "newobj": b"\x80\x02cos\nsystem\nV" + text + b"\n\x85\x81.",
        "newobj_ex": b"\x80\x04cos\nsystem\nV" + text + b"\n\x85}\x92.",
        "stack_global": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c" + bytes([len(text)]) + text + b"\x85R.",
        "eval": pickle.dumps(files.Evil(eval, f"__import__('os').system({line!r})"), 2),
        "setstate": pickle.dumps(files.Evil(os.system, line), 2)[:-1] + b"}b.",
        "tensor subclass": rebuilt,
        "persistent": b"V" + text + b"\nQ.",
        "extension": b"\x82\x01.",
    }


@pytest.mark.parametrize("road", list(commands(Path("x"))))
@pytest.mark.parametrize("layout", ["zip", "before 1.6", "bare"])
def test_nothing_in_a_pickle_runs(road: str, layout: str, tmp_path: Path) -> None:
    marker = tmp_path / "it-ran"
    pickled = commands(marker)[road]
    path = tmp_path / "evil.pth"
    if layout == "zip":
        path.write_bytes(archive(pickled))
    elif layout == "before 1.6":
        head = files.legacy_stream(0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
        path.write_bytes(head + pickled + files.legacy_stream([]))
    else:
        path.write_bytes(pickled)
    with pytest.raises(WeightsError, match=r"^evil\.pth "):
        weights.load_state_dict(path)
    with pytest.raises(WeightsError):
        weights.import_file(path)
    assert not marker.exists()


def test_a_command_beside_good_weights_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.prepare(monkeypatch, tmp_path)
    marker = tmp_path / "it-ran"
    path = tmp_path / "tiny.pth"
    content = {**files.lightning(files.tiny_state()), "callbacks": files.Evil(os.system, f"touch {marker}")}
    path.write_bytes(files.saved(content))
    assert weights.import_file(path).ref.name == "tiny"
    assert not marker.exists()
    files.forget_registry()


def test_no_module_of_the_package_uses_an_unpickler() -> None:
    for module in (ROOT / "models" / "weights").glob("*.py"):
        code = module.read_text()
        for word in (
            "import pickle",
            "torch.load(",
            "jit.load",
            "np.load",
            " eval(",
            "exec(",
            "yaml.load(",
            "__import__",
        ):
            assert word not in code, f"{module.name} uses {word}"


_MEASURE = """
import sys, time
sys.path.insert(0, {root!r})
from models.weights import WeightsError, open_checkpoint

def peak():  # of this program alone: getrusage would count the process that started it
    return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) // 1024

before = peak()
for path in sys.argv[1:]:
    began = time.process_time()
    try:
        with open_checkpoint(path):
            raise SystemExit(path + " was opened")
    except WeightsError as error:
        pass
    took = time.process_time() - began
    print(path, round(took, 2), "s", peak() - before, "MB")
    assert peak() - before < 250, path
    assert took < 10, path
assert before < 100 and "torch" not in sys.modules
"""


def test_hostile_files_need_little_memory_and_no_torch(tmp_path: Path) -> None:
    """The worst of them, opened one after the other by a process that stays below 250 MB above its start."""
    cases = ["zip bomb", "overlapping zip", "huge zip index", "deep pickle", "deep key", "deep records",
             "endless pickle", "shared pickle", "copied lists", "huge memo", "huge string", "huge pickle",
             "large zip index", "pickle of dicts", "pickle of text", "header of lists",
             "4 GB header", "5 MB header", "deep header", "huge array", "repeated element"]  # fmt: skip
    paths = []
    for case in cases:
        path = tmp_path / f"{case}.pth"
        path.write_bytes(DAMAGE[case][0]())
        paths.append(str(path))
    code = _MEASURE.format(root=str(ROOT))
    done = subprocess.run([sys.executable, "-c", code, *paths], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_reading_takes_the_numbers_of_what_is_used_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Optimiser state ten times the size of the network stays on the disk."""
    files.prepare(monkeypatch, tmp_path)
    path = tmp_path / "tiny.pth"
    path.write_bytes(files.saved({"model": files.tiny_state(), "optimizer": [torch.ones(1000) for _ in range(10)]}))
    asked: list[str] = []
    original = Checkpoint.tensor
    monkeypatch.setattr(Checkpoint, "tensor", lambda self, name: asked.append(name) or original(self, name))
    weights.import_file(path)
    assert asked
    assert all(name.startswith("model.") for name in asked)
    files.forget_registry()
