"""`make bench` measures each stage and the whole render; here on a shot too small to say anything about speed."""

from worker_tools import own_runtime

from plugin.measuring import bench


def test_a_row_of_the_table(tmp_path):
    """Its own encoded frames, which no render made, were in the way of the render that is measured."""
    shot = bench.make_shot(tmp_path / "shot", (96, 64), 2)
    with own_runtime(CLEANPLATE_HOME=str(tmp_path / "home")):
        row = bench.measure("background-matte", "tiny", shot, 2, "cpu", {})
    assert (row.node, row.frames) == ("background-matte", 2)
    assert min(row.decode, row.network, row.encode, row.whole) > 0
    assert row.worker_peak > 1 << 20
    assert len(list((tmp_path / "shot").glob("background-matte.*.exr"))) == 2
