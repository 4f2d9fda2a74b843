"""The adapter, built with a sanitizer, plays short scenes in the test host without a report.

The sanitizer's library is loaded first into a Python that knows nothing of it; only the adapter's own code is watched.
"""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from ofx_host import fixtures
from ofx_host.host import Host, in_threads
from ofx_host.isolated import call
from ofx_host.plugin import Refused
from ofx_host.profiles import NATRON, PLAIN

RUNTIMES = {"address": "libasan.so", "undefined": "libubsan.so", "thread": "libtsan.so"}
# The thread sanitizer wants its own places in memory.
PREFIX = {"address": (), "undefined": (), "thread": ("setarch", "-R")}
OPTIONS = {
    # Python itself leaves much behind at its end; what the adapter leaks is counted by the host.
    "address": {"ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1:detect_stack_use_after_return=1"},
    "undefined": {"UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"},
    "thread": {"TSAN_OPTIONS": "halt_on_error=1:exitcode=66:report_thread_leaks=0:ignore_noninstrumented_modules=1"},
}


def _libraries(name: str) -> str:
    """What LD_PRELOAD must name; skips the test where the sanitizer cannot be used.

    The C++ library comes along, since the sanitizer looks once, at the start, for the functions that throw.
    """
    compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++")
    if compiler is None:
        pytest.skip("there is no C++ compiler to build the adapter with a sanitizer")
    found = []
    for library in (RUNTIMES[name], "libstdc++.so.6"):
        asked = subprocess.run([compiler, f"-print-file-name={library}"], capture_output=True, text=True).stdout.strip()
        if not Path(asked).is_absolute():
            pytest.skip(f"the compiler {compiler} comes without {library}")
        found.append(asked)
    preload = " ".join(found)
    if subprocess.run([*PREFIX[name], "/bin/true"], env={"LD_PRELOAD": preload}, capture_output=True).returncode:
        pytest.skip(f"programs do not start with {preload} on this machine")
    return preload


@pytest.mark.parametrize("name", sorted(RUNTIMES))
@pytest.mark.timeout(600)
def test_a_scene_without_a_report(name, tmp_path):
    preload = _libraries(name)
    bundle = fixtures.without_worker(fixtures.build(name), tmp_path)
    environment = {
        "LD_PRELOAD": preload,
        "CLEANPLATE_RUNTIME": str(tmp_path / "run"),
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONMALLOC": "malloc",
        **OPTIONS[name],
    }
    output = call(play_scene, bundle, environment=environment, prefix=PREFIX[name])
    assert output == "played"


def play_scene(bundle: Path) -> str:
    """Load, describe, create, render from four threads with clones, wait long, cancel, hostile replies, unload."""
    from ofx_host.fake_worker import FakeWorker, result_fields, send_result
    from test_ofx_progress import loading
    from test_ofx_worker_replies import ANSWERS, _descriptor_answers, _ending, _node, changed, odd_results

    half = np.full((47, 67, 4), 0.5, np.float32)

    def ask_and_answer(line, request):
        need = {"job": request["job"], "need": 1, "input": "Source", "frame": request["frame"]}
        line.send("NeedIdentity", {"job": request["job"], "need": 2, "input": "C", "first": 1, "last": 3})
        line.send("Need", need)
        fields = result_fields(request)
        for _ in range(2):
            _, answer = line.receive()
            fields["window"] = answer.get("data_window", fields["window"])
        send_result(line, fields)

    for profile in (NATRON, PLAIN):
        fake = FakeWorker(ask_and_answer)
        with Host(profile, bundle) as host:
            node = _node(host)
            clones = [node.effect, *(node.clone() for _ in range(3))]

            def several(effect, node=node):
                for frame in range(1, 5):
                    np.testing.assert_array_equal(node.render(frame, on=effect), half)

            in_threads([lambda e=effect: several(e) for effect in clones])
            if profile is NATRON:
                # Three renders of one node wait long, with one progress bar between them.
                node.set(alphaBlack=0.125)
                fake.answer = lambda line, request, host=host: loading(line, request, lambda: _told(host))
                in_threads([lambda f=frame, n=node: n.render(f) for frame in (6, 7, 8)])
                assert host.bars
            # Cancelled while the worker is silent.
            node.set(alphaBlack=0.25)
            fake.answer = lambda line, request: None
            node.effect.abort_when = lambda polls: polls >= 3
            node.effect.polls.clear()
            try:
                node.render(5)
            except Refused as refusal:
                print(refusal)
            node.effect.abort_when = lambda polls: False
        fake.close()

    with Host(NATRON, bundle) as host:
        node = _node(host)

        def odd(path, value):
            def send(line, request):
                fields = changed(result_fields(request), path, value)
                size = fields["buffer"]["size"]
                fields_size = size if 0 < size < 1 << 24 else 47 * 67 * 16
                send_result(line, fields, _memory(fields_size))

            return send

        answers = {name: odd(*change) for name, change in odd_results()}
        for answer in (*answers.values(), *ANSWERS.values(), *_descriptor_answers().values()):
            fake = FakeWorker(_ending(answer))
            try:
                node.render(1)
            except Refused:
                assert node.effect.persistent
            fake.close()
    return "played"


def _told(host: Host) -> bool:
    return bool(host.bars) and len(host.bars[0].shares) >= 3


def _memory(size: int) -> int:
    from ofx_host.fake_worker import memory

    return memory(size)
