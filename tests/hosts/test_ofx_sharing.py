"""However many nodes and hosts there are, one worker computes for them with one copy of the weights."""

import contextlib
import threading
import time
from pathlib import Path

import psutil
from ofx_host.fixtures import FIRST, bundle, scene  # noqa: F401
from ofx_host.host import Host, descriptors, threads
from ofx_host.isolated import call, isolated
from ofx_host.profiles import NATRON
from test_ofx_render import background, same, video

PATIENCE = 240


def workers(runtime):
    """The worker processes whose sockets lie in a folder."""
    found = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if "plugin.worker" in process.cmdline() and process.environ().get("CLEANPLATE_RUNTIME") == runtime:
                found.add(process.pid)
    return found


def _shared(status, runtime):
    """What the worker's status says, after a look at whether all is there but once."""
    networks = [model["network"] for model in status["models"]]
    # The worker may have served other files of tests before, with other networks.
    assert sorted(network for network in networks if network != "learned") == ["bgmv2", "rvm"], status["models"]
    assert workers(runtime) == {status["pid"]}
    return status


@isolated
def test_ten_nodes_of_one_graph(scene):  # noqa: F811
    from plugin.worker.client.running import status_of_running

    with Host(NATRON, scene.bundle) as host:
        same(background(host, scene).render(FIRST), scene, "background-matte", FIRST)
    before = (threads(), descriptors())
    with Host(NATRON, scene.bundle) as host:
        first = status_of_running("cpu")["pid"]
        nodes = [background(host, scene) for _ in range(5)] + [video(host, scene) for _ in range(5)]
        for node in nodes:
            name = "video-matte" if "Video" in node.plugin.id else "background-matte"
            same(node.render(FIRST), scene, name, FIRST)
        status = _shared(status_of_running("cpu"), scene.environment["CLEANPLATE_RUNTIME"])
        assert status["pid"] == first
        assert [client for client in status["clients"] if client["name"] == "OpenFX"], status["clients"]
    assert (threads(), descriptors()) == before


def render_and_stay(shot, folder, name):
    """A host that renders a frame with ten nodes and stays until it is told to go."""
    with Host(NATRON, shot.bundle) as host:
        for number in range(10):
            kind = ("background-matte", background) if number % 2 else ("video-matte", video)
            same(kind[1](host, shot).render(FIRST), shot, kind[0], FIRST)
        (folder / f"{name} is done").touch()
        _wait(lambda: (folder / "go").exists())


def _wait(ready):
    deadline = time.monotonic() + PATIENCE
    while not ready():
        assert time.monotonic() < deadline, "the other side did not come"
        time.sleep(0.05)


def test_two_hosts_at_once(scene, tmp_path, monkeypatch):  # noqa: F811
    from plugin.worker.client.running import status_of_running, stop_running

    monkeypatch.setenv("CLEANPLATE_RUNTIME", scene.environment["CLEANPLATE_RUNTIME"])
    # Both come before there is a worker: whoever starts it, the other finds it.
    stop_running("cpu")
    failures: list[BaseException] = []

    def run(name: str) -> None:
        try:
            call(render_and_stay, scene, Path(tmp_path), name, environment=scene.environment)
        except BaseException as error:
            failures.append(error)

    hosts = [threading.Thread(target=run, args=(name,)) for name in ("one", "other")]
    for host in hosts:
        host.start()
    try:
        _wait(lambda: failures or all((tmp_path / f"{name} is done").exists() for name in ("one", "other")))
        assert not failures, failures[0]
        status = _shared(status_of_running("cpu"), scene.environment["CLEANPLATE_RUNTIME"])
        assert len({client["pid"] for client in status["clients"] if client["name"] == "OpenFX"}) == 2
        assert status["frames"] >= 4
    finally:
        (tmp_path / "go").touch()
        for host in hosts:
            host.join()
    assert not failures, failures[0]
