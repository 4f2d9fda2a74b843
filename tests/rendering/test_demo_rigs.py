"""The demo's second shot: its truth is the same shot without rigs."""

import numpy as np
import pytest

from plugin.demo import rigs as demo_rigs
from plugin.demo.shot import OVERSCAN


@pytest.fixture(scope="module")
def shown():
    return list(demo_rigs.frames(3))


def test_the_shots_differ_where_the_rigs_are_and_nowhere_else(shown):
    for frame in shown:
        assert frame.source.shape == frame.clean.shape == (OVERSCAN.height, OVERSCAN.width, 3)
        differs = (frame.source != frame.clean).any(-1)
        rig = frame.rig[..., 0] > 0
        assert 0.001 < rig.mean() < 0.03
        assert differs[rig].mean() > 0.99
        # Around it there is only what antialiasing and the lens's softness spread.
        assert differs.sum() < 4 * rig.sum()


def test_wires_and_figure_move_and_markers_do_not(shown):
    first, last = (frame.rig[..., 0] > 0 for frame in (shown[0], shown[-1]))
    assert (first & last).sum() > 1000
    assert (first ^ last).sum() > 500
    np.testing.assert_array_equal(shown[0].source, next(demo_rigs.frames(1)).source)
