"""Pixels through the OpenFX adapter are those of `cleanplate render`, bit for bit, however a host asks for them."""

import random
from dataclasses import replace

import numpy as np
import pytest
from ofx_host.clips import COLOUR, Footage, plane_channels
from ofx_host.fixtures import (  # noqa: F401
    CORNER,
    DATA,
    FIRST,
    FORMAT,
    HEIGHT,
    LAST,
    WIDTH,
    bundle,
    scene,
)
from ofx_host.host import Host, in_threads
from ofx_host.images import Picture
from ofx_host.isolated import isolated
from ofx_host.plugin import Refused
from ofx_host.profiles import FILTER, NATRON, PLAIN

from nodes.footage.colour.transfer import decode, encode

FRAMES = range(FIRST, LAST + 1)


def background(host, shot, **settings):
    node = host.plugin("org.cleanplate.BackgroundMatte").create()
    node.set(weights=shot.weights("bgmv2"), device="cpu", **settings)
    node.connect("Source", shot.source())
    node.connect("C", shot.plate())
    return node


def video(host, shot, **settings):
    node = host.plugin("org.cleanplate.VideoMatte").create()
    node.set(weights=shot.weights("rvm"), device="cpu", **settings)
    node.connect("Source", shot.source())
    return node


def same(pixels, shot, node, frame, what="premultiplied"):
    np.testing.assert_array_equal(pixels, shot.rendered(node, frame, what), err_msg=f"{node} {frame} {what}")


@isolated
def test_both_nodes_give_the_pixels_of_the_command_line(scene):  # noqa: F811
    for profile in (NATRON, PLAIN):
        with Host(profile, scene.bundle) as host:
            node = background(host, scene)
            for frame in (FIRST, LAST):
                same(node.render(frame), scene, "background-matte", frame)
            # In order, as one render thread asks; then the first again, which must not have changed.
            node = video(host, scene)
            for frame in (*FRAMES, FIRST):
                same(node.render(frame), scene, "video-matte", frame)
            assert node.frame_varying
            assert "cpu" in _status(node)
            assert not host.journal.messages


def _status(node):
    node.set(alphaBlack=node.get("alphaBlack"))
    return node.get("status")


@pytest.mark.parametrize("order", ["one frame alone", "backwards", "shuffled"])
@isolated
def test_order_does_not_matter(scene, order):  # noqa: F811
    frames = {"one frame alone": [LAST - 1], "backwards": list(FRAMES)[::-1], "shuffled": list(FRAMES)}[order]
    if order == "shuffled":
        random.Random(4).shuffle(frames)
    with Host(NATRON, scene.bundle) as host:
        node = video(host, scene)
        for frame in frames:
            same(node.render(frame), scene, "video-matte", frame)


@isolated
def test_four_render_threads_with_clones_made_in_them(scene):  # noqa: F811
    """As Natron with nParallelRenders=4: instances are created in the render threads and frames come in any order."""
    frames = list(FRAMES)
    random.Random(5).shuffle(frames)
    with Host(NATRON, scene.bundle) as host:
        node, plain = video(host, scene), background(host, scene)

        def worker(number):
            effects = [(node, node.clone(), "video-matte"), (plain, plain.clone(), "background-matte")]
            for frame in frames[number::4]:
                for of, effect, name in effects:
                    same(of.render(frame, on=effect), scene, name, frame)

        in_threads([lambda n=n: worker(n) for n in range(4)])


@isolated
def test_one_instance_renders_several_frames_at_once(scene):  # noqa: F811
    """What calls itself fully thread-safe must be."""
    with Host(NATRON, scene.bundle) as host:
        node = video(host, scene)
        assert node.effect.descriptor.properties["OfxImageEffectPluginRenderThreadSafety"].endswith("FullySafe")
        results = in_threads([lambda f=frame: (f, node.render(f)) for frame in FRAMES])
        for frame, pixels in results:
            same(pixels, scene, "video-matte", frame)


@isolated
def test_passes_through_the_output_choice(scene):  # noqa: F811
    with Host(PLAIN, scene.bundle) as host:
        node = background(host, scene)
        for what in ("foreground", "alpha", "refinement", "error"):
            node.set(output=what)
            expected = scene.rendered("background-matte", FIRST, what)
            pixels = node.render(FIRST)
            if what == "foreground":
                np.testing.assert_array_equal(pixels[..., :3], expected)
                np.testing.assert_array_equal(pixels[..., 3:], scene.rendered("background-matte", FIRST, "alpha"))
            else:
                np.testing.assert_array_equal(pixels, np.repeat(expected, 4, axis=2))


@isolated
def test_extra_planes_come_from_one_render(scene):  # noqa: F811
    with Host(NATRON, scene.bundle) as host:
        node = video(host, scene)
        planes = node.planes(FIRST)
        assert planes[0] == COLOUR
        layers = {plane.split("Name_")[1].split("_")[0]: plane for plane in planes[1:]}
        assert set(layers) == {"matte", "fg", "refine", "person"}
        together = node.render_planes(FIRST + 1, planes)
        same(together[COLOUR], scene, "video-matte", FIRST + 1)
        for layer, what in (("matte", "alpha"), ("fg", "foreground"), ("refine", "refinement"), ("person", "person")):
            plane = layers[layer]
            assert together[plane].shape[2] == plane_channels(plane, "OfxImageComponentRGBA")
            same(together[plane], scene, "video-matte", FIRST + 1, what)
            same(node.render_planes(FIRST + 1, [plane])[plane], scene, "video-matte", FIRST + 1, what)


@isolated
def test_masks_of_one_channel_and_of_four(scene):  # noqa: F811
    with Host(NATRON, scene.bundle) as host:
        node = background(host, scene)
        mask = scene.array("garbage")[..., :1]
        node.connect("OutM", Footage(Picture(mask, CORNER), format=FORMAT))
        thin = node.render(FIRST)
        node.connect("OutM", Footage(Picture(np.repeat(mask, 4, axis=2), CORNER), format=FORMAT))
        np.testing.assert_array_equal(node.render(FIRST), thin)
        expected = scene.rendered("background-matte", FIRST).copy()
        expected[mask[..., 0] == 1] = 0
        np.testing.assert_array_equal(thin, expected)
        node.connect("OutM", None)
        same(node.render(FIRST), scene, "background-matte", FIRST)


@isolated
def test_files_instead_of_clips(scene):  # noqa: F811
    with Host(NATRON, scene.bundle) as host:
        node = background(host, scene, plateFile=str(scene.folder / "clean.exr"))
        node.connect("C", None)
        same(node.render(FIRST), scene, "background-matte", FIRST)
        node.set(sourceFile=str(scene.folder / "shot.####.exr"))
        host.fetched.clear()
        same(node.render(LAST), scene, "background-matte", LAST)
        assert not [name for name, *_ in host.fetched if name in ("Source", "C")], "pixels were copied all the same"


@isolated
def test_a_source_file_alone(scene):  # noqa: F811
    """Where nothing is connected to Source, the picture has the project's format; what is outside it is cut."""
    x, y, _, _ = DATA
    settings = {
        "background": {"weights": scene.weights("bgmv2"), "plateFile": str(scene.folder / "clean.exr")},
        "video": {"weights": scene.weights("rvm")},
    }
    for profile in (NATRON, PLAIN):
        with Host(profile, scene.bundle) as host:
            for kind, values in settings.items():
                node = host.plugin(f"org.cleanplate.{kind.title()}Matte").create()
                node.effect.properties.put("OfxImageEffectPropProjectSize", [float(WIDTH), float(HEIGHT)])
                node.set(device="cpu", **values)
                with pytest.raises(Refused):
                    node.render(FIRST, window=(0, 0, WIDTH, HEIGHT))
                assert "needs the input Source (Source): connect it, or name a file in 'sourceFile'" in _said(host)
                node.set(sourceFile=str(scene.folder / "shot.####.exr"))
                assert node.pixel_window(LAST) == (0, 0, WIDTH, HEIGHT)
                for effect in (node.effect, node.clone()):
                    # A clone knows nothing of the project: its picture is that of the window.
                    pixels = node.render(LAST, on=effect)
                    whole = scene.rendered(f"{kind}-matte", LAST)
                    np.testing.assert_array_equal(pixels, whole[-y : HEIGHT - y, -x : WIDTH - x])
                assert node.frame_varying


def _said(host):
    return host.journal.messages[-1].text


@isolated
def test_as_a_filter(scene):  # noqa: F811
    with Host(PLAIN, scene.bundle) as host:
        node = host.plugin("org.cleanplate.VideoMatte").create(FILTER)
        node.set(weights=scene.weights("rvm"), device="cpu")
        node.connect("Source", scene.source())
        same(node.render(FIRST), scene, "video-matte", FIRST)


@isolated
def test_a_window_smaller_than_the_picture(scene):  # noqa: F811
    with Host(NATRON, scene.bundle) as host:
        node = background(host, scene)
        x1, y1, x2, y2 = whole = node.pixel_window(FIRST)
        assert whole == (CORNER[0], CORNER[1], CORNER[0] + 67, CORNER[1] + 47)
        part = (x1 + 7, y1 + 5, x2 - 11, y2 - 3)
        expected = scene.rendered("background-matte", FIRST)[3:-5, 7:-11]
        np.testing.assert_array_equal(node.render(FIRST, window=part), expected)
        # A host may ask for more than there is: outside the picture there is nothing.
        wider = node.render(FIRST, window=(x1 - 2, y1 - 1, x2 + 3, y2 + 2))
        np.testing.assert_array_equal(wider[2:-1, 2:-3], scene.rendered("background-matte", FIRST))
        assert not wider[:2].any()
        assert not wider[:, -3:].any()


@isolated
def test_proxies_and_pixel_aspects(scene):  # noqa: F811
    with Host(PLAIN, scene.bundle) as host:
        node = background(host, scene)
        half = node.render(FIRST, scale=(0.5, 0.5))
        x1, y1, x2, y2 = node.pixel_window(FIRST, (0.5, 0.5))
        assert half.shape == (y2 - y1, x2 - x1, 4)
        assert np.isfinite(half).all()
        for name in ("Source", "C"):
            footage = scene.source() if name == "Source" else scene.plate()
            node.connect(name, Footage(footage.pictures, footage.frames, 2.0, FORMAT))
        same(node.render(FIRST), scene, "background-matte", FIRST)
    with Host(NATRON, scene.bundle) as host, pytest.raises(Refused):
        # Natron then scales the finished picture itself.
        background(host, scene).region_of_definition(FIRST, (0.5, 0.5))


@isolated
def test_an_upstream_edit_is_noticed(scene):  # noqa: F811
    """Natron's cache is off where the effect is temporal; the adapter's own must notice changed earlier frames."""
    pictures = dict(scene.source().pictures)
    changed = Picture(np.ascontiguousarray(pictures[FIRST + 1].pixels[::-1]), CORNER)
    edited = Footage({**pictures, FIRST + 1: changed}, (FIRST, LAST), format=FORMAT)
    with Host(NATRON, scene.bundle) as host:
        node = video(host, scene)
        same(node.render(LAST), scene, "video-matte", LAST)
        node.connect("Source", edited)
        stale = node.render(LAST)
        assert not np.array_equal(stale, scene.rendered("video-matte", LAST))
        same(node.render(FIRST), scene, "video-matte", FIRST)
        node.connect("Source", scene.source())
        same(node.render(LAST), scene, "video-matte", LAST)
    with Host(NATRON, scene.bundle) as host:
        node = video(host, scene)
        node.connect("Source", edited)
        np.testing.assert_array_equal(node.render(LAST), stale)


@isolated
def test_animated_parameters_are_taken_at_the_frame(scene):  # noqa: F811
    with Host(NATRON, scene.bundle) as host:
        node = background(host, scene)
        node.key("alphaWhite", {FIRST: 1.0, LAST: 0.05})
        same(node.render(FIRST), scene, "background-matte", FIRST)
        assert not np.array_equal(node.render(LAST), scene.rendered("background-matte", LAST))


@isolated
def test_what_natron_calls_pictures_is_not_trusted_where_it_says_nothing(scene):  # noqa: F811
    """Pictures that Natron converted have the name of nothing, masks that of the picture whose channel they are."""
    nameless = {n: replace(p, identifier="5c286886f263df1e") for n, p in scene.source().pictures.items()}
    with Host(NATRON, scene.bundle) as host:
        node = video(host, scene)
        edited = {**nameless, FIRST + 1: replace(nameless[FIRST + 1], pixels=nameless[FIRST + 1].pixels[::-1].copy())}
        node.connect("Source", Footage(edited, (FIRST, LAST), format=FORMAT))
        assert not np.array_equal(node.render(LAST), scene.rendered("video-matte", LAST))
        node.connect("Source", Footage(nameless, (FIRST, LAST), format=FORMAT))
        for frame in (LAST, FIRST):
            same(node.render(frame), scene, "video-matte", frame)
        node = background(host, scene)
        mask = scene.array("garbage")[..., :1]
        for channel in (mask, np.zeros_like(mask), mask):
            node.connect("OutM", Footage(Picture(channel, CORNER, identifier="mask"), format=FORMAT))
            expected = scene.rendered("background-matte", FIRST) * (channel != 1)
            np.testing.assert_array_equal(node.render(FIRST), expected)


@isolated
def test_a_mask_of_several_channels_is_the_one_that_tells_something(scene):  # noqa: F811
    """A host may deliver black and white with an opaque alpha; which channel counts can be named."""
    height, width = scene.array(f"shot.{FIRST}").shape[:2]
    opaque = np.zeros((height, width, 4), np.float32) + np.float32([0, 0, 0, 1])
    marked = opaque.copy()
    marked[10:20, 5:25, 1] = 1
    with Host(PLAIN, scene.bundle) as host:
        node = background(host, scene)
        node.connect("OutM", Footage(Picture(opaque, CORNER, identifier="opaque"), format=FORMAT))
        same(node.render(FIRST), scene, "background-matte", FIRST)
        node.connect("OutM", Footage(Picture(marked, CORNER, identifier="marked"), format=FORMAT))
        expected = scene.rendered("background-matte", FIRST).copy()
        expected[10:20, 5:25] = 0
        np.testing.assert_array_equal(node.render(FIRST), expected)
        node.set(garbageChannel="alpha")
        assert not node.render(FIRST).any()
        node.set(garbageChannel="red")
        same(node.render(FIRST), scene, "background-matte", FIRST)
        node.set(garbageChannel="green", maskSpace="sRGB")
        grey = Picture(marked * np.float32(0.5), CORNER, identifier="grey")
        node.connect("OutM", Footage(grey, format=FORMAT))
        alpha = scene.rendered("background-matte", FIRST)[10:20, 5:25, 3]
        left = alpha * (1 - decode(np.float32([[[0.5]]]), "srgb")[0, 0, 0])
        np.testing.assert_allclose(node.render(FIRST)[10:20, 5:25, 3], left, atol=1e-3)
        node.set(garbageChannel="roto")
        with pytest.raises(Refused):
            node.render(FIRST)
        assert "no channel 'roto': the mask has R, G, B, A" in _said(host)


@isolated
def test_a_plate_in_a_space_of_its_own(scene):  # noqa: F811
    plate = scene.array("clean")
    encoded = encode(np.maximum(plate, 0), "srgb").astype(np.float32)
    with Host(PLAIN, scene.bundle) as host:
        node = background(host, scene)
        node.connect("C", Footage(Picture(np.maximum(plate, 0), CORNER, identifier="light"), format=FORMAT))
        expected = node.render(FIRST)
        node.set(plateSpace="sRGB")
        assert np.abs(node.render(FIRST) - expected).max() > 0.05
        node.connect("C", Footage(Picture(encoded, CORNER, identifier="encoded"), format=FORMAT))
        np.testing.assert_allclose(node.render(FIRST), expected, atol=1e-3)
