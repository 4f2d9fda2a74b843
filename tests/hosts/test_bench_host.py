"""The benchmark of the OpenFX adapter measures what it says: small pictures, through a worker of its own."""

import numpy as np
from ofx_host.clips import Footage
from ofx_host.fixtures import FIRST, bundle, scene  # noqa: F401
from ofx_host.host import Host
from ofx_host.isolated import isolated
from ofx_host.profiles import PLAIN

from plugin.measuring.bench_host import HostRow


def test_the_verdict_is_fifteen_milliseconds_and_two_copies():
    def row(overhead):
        return HostRow(action=50, worker=30, overhead=overhead, median=99, fresh=99, copy=4)

    assert row(23).met
    assert not row(23.5).met


@isolated
def test_a_run_over_small_frames(scene):  # noqa: F811
    from plugin.measuring.bench_host import measure
    from plugin.worker.client.running import status_of_running

    before = status_of_running("cpu")
    row = measure(scene.bundle, 4, "cpu", size=(160, 96), fresh=2)
    assert 0 < row.copy < row.overhead <= row.median
    assert 0 < row.worker < row.action
    after = status_of_running("cpu")
    assert (after and after["frames"]) == (before and before["frames"]), "it used the worker of somebody else"


@isolated
def test_a_host_that_is_not_careful_gives_the_same_pixels(scene):  # noqa: F811
    with Host(PLAIN, scene.bundle, careful=False) as host:
        node = host.plugin("org.cleanplate.BackgroundMatte").create()
        node.set(weights=scene.weights("bgmv2"), device="cpu")
        node.connect(
            "Source", Footage(dict(scene.source().pictures), scene.source().frames, format=scene.source().format)
        )
        node.connect("C", scene.plate())
        np.testing.assert_array_equal(node.render(FIRST), scene.rendered("background-matte", FIRST))
