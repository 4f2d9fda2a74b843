"""Segment's engine alone: what it makes of a network's answer, at any size, in tiles, over views and frames."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from local_engine import ArrayInputs, LocalDevice, picture, render
from reference import fill
from torch import nn

import models
from models.hrnet_ocr import OCROutput, normalize, resize_logits
from models.hrnet_ocr.heads import MEAN, STD
from models.tiles import blended, spans
from nodes import catalogue
from nodes.errors import ParameterError
from nodes.faces.engine_file import create_engine
from nodes.footage.window import Window
from nodes.picture import srgb_encode
from nodes.segmenting.mattes import levels, snapped

SMALL = {"width": 4, "classes": 4, "body": "tiny", "stem_channels": 4, "ocr_channels": 8, "key_channels": 4}
OWN = {**SMALL, "stem_stride": 2, "magnify": 2}
RIGS = {"classList": "rigs"}
RNG = np.random.default_rng(5)


def device(**options):
    return LocalDevice(fill, **(options or OWN))


class Pixelwise(nn.Module):
    """A network that knows what it sees: class 1 is red, 2 green, 3 blue; the rest is 0."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(20.0))

    def forward(self, x):
        colour = x * torch.tensor(STD).view(3, 1, 1) + torch.tensor(MEAN).view(3, 1, 1)
        others = (colour.sum(1, keepdim=True) - colour) / 2
        logits = torch.cat([torch.full_like(colour[:, :1], 0.3), colour - others], 1) * self.gain
        return OCROutput(logits, logits)


class PixelwiseDevice(LocalDevice):
    def __init__(self, **options):
        super().__init__(**OWN, **options)
        self.network = Pixelwise()

    def model(self, weights, network, options, dtype=None):
        super().model(weights, network, options, dtype)
        return self.network


def coloured(height=60, width=90, shift=0):
    """A red square and a green bar on grey, in light."""
    pixels = np.full((height, width, 3), 0.2, np.float32)
    pixels[20:40, 10 + shift : 30 + shift] = [0.9, 0.05, 0.05]
    pixels[5:9, :] = [0.05, 0.8, 0.05]
    return pixels


@pytest.fixture(scope="module")
def plain():
    inputs = ArrayInputs(Source=picture(RNG.random((70, 101, 3))))
    return inputs, render("Segment", 7, inputs, device(), **RIGS)


def test_passes_cover_the_source(plain):
    _, passes = plain
    assert {name: image.shape for name, image in passes.images.items()} == {
        "premultiplied": (70, 101, 4),
        "alpha": (70, 101, 1),
        "ids": (70, 101, 1),
        "confidence": (70, 101, 1),
    }
    assert all(image.dtype == np.float32 and np.isfinite(image).all() for image in passes.images.values())
    assert passes.info["classIds"] == "0 other, 1 marker, 2 wire, 3 stand"
    assert passes.info["classes"] == "marker, wire, stand"


def test_the_first_pass_is_the_source_times_alpha(plain):
    inputs, passes = plain
    alpha = passes.images["alpha"]
    np.testing.assert_allclose(
        passes.images["premultiplied"][..., :3], inputs.inputs["Source"].pixels * alpha, atol=1e-6
    )
    np.testing.assert_array_equal(passes.images["premultiplied"][..., 3:], alpha)


def test_ids_are_whole_numbers_that_survive_half_float(plain):
    _, passes = plain
    ids = passes.images["ids"]
    assert set(np.unique(ids)) <= {0.0, 1.0, 2.0, 3.0}
    np.testing.assert_array_equal(ids.astype(np.float16).astype(np.float32), ids)
    assert next(entry for entry in catalogue.find("Segment").passes if entry.name == "ids").exact


def test_the_same_frame_gives_the_same_bits(plain):
    inputs, passes = plain
    again = render("Segment", 7, inputs, device(), **RIGS)
    for name, image in passes.images.items():
        np.testing.assert_array_equal(again.images[name], image)


@pytest.mark.parametrize("options", [SMALL, {**SMALL, "upsampler": "carafe"}])
def test_a_published_layout_gives_what_the_network_alone_gives(options):
    """Logits at a quarter of the size, brought to the picture's as the published code does, then softmax."""
    pixels = RNG.random((66, 101, 3), np.float32)
    passes = render("Segment", 1, ArrayInputs(Source=picture(pixels)), device(**options), edges="off", **RIGS)
    model = fill(models.create("hrnet_ocr", **options))
    shown = srgb_encode(torch.from_numpy(pixels.transpose(2, 0, 1)[None]))
    with torch.inference_mode():
        expected = resize_logits(model(normalize(shown)).out, (66, 101)).softmax(1)[0]
    np.testing.assert_allclose(passes.images["alpha"][..., 0], expected[1:].sum(0), atol=1e-5)
    np.testing.assert_allclose(passes.images["confidence"][..., 0], expected.max(0).values, atol=1e-5)


def test_chosen_classes_and_their_layers():
    source = coloured()
    inputs = ArrayInputs(Source=picture(source))
    settings = {**RIGS, "classes": "Wire, marker", "classLayers": True}
    passes = render("Segment", 1, inputs, PixelwiseDevice(), **settings)
    marker, wire = passes.images["class marker"], passes.images["class wire"]
    assert marker[30, 20, 0] > 0.99 > 0.01 > marker[6, 50, 0]
    assert wire[6, 50, 0] > 0.99 > 0.01 > wire[30, 20, 0]
    np.testing.assert_allclose(passes.images["alpha"], marker + wire, atol=1e-6)
    assert passes.images["ids"][30, 20, 0] == 1
    assert passes.images["ids"][50, 80, 0] == 0
    face = catalogue.find("Segment")
    names = [entry.name for entry in face.passes_for(face.parse(settings))]
    assert set(names) == set(passes.images)
    assert "class wire" not in [entry.name for entry in face.passes_for(face.parse(RIGS))]
    only = render("Segment", 1, inputs, PixelwiseDevice(), **RIGS, classes="stand")
    assert only.images["alpha"].max() < 0.01


@given(length=st.integers(1, 3000), tile=st.sampled_from([64, 96, 256, 512]), share=st.sampled_from([0.125, 0.25]))
def test_tiles_cover_everything_and_overlap(length, tile, share):
    overlap = int(tile * share)
    found = spans(length, tile, overlap)
    assert found[0][0] == 0
    assert found[-1][1] == length
    assert all(stop - start == min(tile, length) for start, stop in found)
    assert all(before[1] - after[0] >= overlap for before, after in pairwise(found))


@pytest.mark.parametrize("size", [(64, 64), (65, 200), (300, 70), (200, 333)])
def test_blending_tiles_of_one_picture_gives_the_picture(size):
    whole = torch.rand(3, *size)
    most = 0
    rows = []
    for top, part in blended(size, 64, 16, lambda tile: tile.of(whole)):
        assert top == sum(row.shape[1] for row in rows)
        most = max(most, part.shape[1])
        rows.append(part)
    torch.testing.assert_close(torch.cat(rows, 1), whole, atol=1e-5, rtol=0)
    assert most <= 64  # never more than a row of tiles in memory


def test_seams_are_blended_without_a_step():
    """Tiles that disagree by 1 pass into each other over the overlap."""
    (_, rows), *_ = blended((64, 200), 64, 32, lambda tile: torch.full((1, 64, 64), float(tile.left // 32 % 2)))
    assert (rows[0, 0].diff().abs() < 0.12).all()
    assert rows.max() > 0.99 > 0.01 > rows.min()


def test_tiles_give_what_the_whole_gives():
    inputs = ArrayInputs(Source=picture(coloured(150, 210)))
    whole = render("Segment", 1, inputs, PixelwiseDevice(), **RIGS)
    tiled = render("Segment", 1, inputs, PixelwiseDevice(), tile=64, **RIGS)
    for name in ("alpha", "confidence"):
        np.testing.assert_allclose(tiled.images[name], whole.images[name], atol=1e-5)
    np.testing.assert_array_equal(tiled.images["ids"], whole.images["ids"])
    assert tiled.info["tile"] == 64


def test_tiles_are_as_large_as_what_the_weights_learned_from():
    inputs = ArrayInputs(Source=picture(coloured(150, 210)))
    trained = device(**OWN, window=64)
    automatic, asked = (render("Segment", 1, inputs, trained, tile=tile, **RIGS) for tile in (0, 64))
    assert automatic.info["tile"] == 64
    np.testing.assert_array_equal(automatic.images["alpha"], asked.images["alpha"])
    assert render("Segment", 1, inputs, trained, tile=96, **RIGS).info["tile"] == 96
    assert render("Segment", 1, inputs, device(), **RIGS).info["tile"] == 1024


def test_weights_say_at_which_scales_they_are_best_seen():
    inputs = ArrayInputs(Source=picture(coloured(150, 210)))
    several = device(**OWN, window=64, scales=[0.5, 1.0])
    own, asked, once = (render("Segment", 1, inputs, several, scales=scales, **RIGS) for scales in ("", "0.5 1", "1"))
    np.testing.assert_array_equal(own.images["alpha"], asked.images["alpha"])
    plain = render("Segment", 1, inputs, device(**OWN, window=64), **RIGS)
    np.testing.assert_array_equal(once.images["alpha"], plain.images["alpha"])
    assert np.abs(own.images["alpha"] - plain.images["alpha"]).max() > 1e-3


def test_at_small_scales_tiles_are_larger_where_the_weights_say_what_they_learned_from():
    def sides(looker, **params):
        found = set()
        looker.network.register_forward_pre_hook(lambda _, inputs: found.add(inputs[0].shape[-1]))
        render("Segment", 1, ArrayInputs(Source=picture(coloured(260, 300))), looker, scales="0.5, 1", **params, **RIGS)
        return found

    assert sides(PixelwiseDevice(window=128)) == {128}
    assert sides(PixelwiseDevice(), tile=128) == {64, 128}


def test_the_smallest_tile_is_that_of_the_grid():
    inputs = ArrayInputs(Source=picture(coloured(40, 50)))
    smallest, asked = (render("Segment", 1, inputs, PixelwiseDevice(), tile=tile, **RIGS) for tile in (32, 1))
    assert smallest.info["tile"] == asked.info["tile"] == 32
    np.testing.assert_array_equal(smallest.images["alpha"], asked.images["alpha"])


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (31, 32), (65, 67)])
def test_any_size_is_segmented(size):
    for options in (OWN, SMALL):
        source = ArrayInputs(Source=picture(RNG.random((*size, 3))))
        passes = render("Segment", 1, source, device(**options), flip=True, scales="0.5 1", **RIGS)
        assert passes.images["alpha"].shape == (*size, 1)


def test_the_mirror_image_and_other_sizes_are_put_back_in_place():
    inputs = ArrayInputs(Source=picture(coloured()))
    plain = render("Segment", 1, inputs, PixelwiseDevice(), **RIGS).images
    flipped = render("Segment", 1, inputs, PixelwiseDevice(), flip=True, **RIGS).images
    np.testing.assert_allclose(flipped["alpha"], plain["alpha"], atol=1e-5)
    scaled = render("Segment", 1, inputs, PixelwiseDevice(), scales="0.5, 1, 2", flip=True, **RIGS).images
    assert np.abs(scaled["alpha"] - plain["alpha"]).mean() < 0.02
    assert (scaled["ids"] == plain["ids"]).mean() > 0.98


def test_left_and_right_classes_change_places_when_flipped(tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("classes: [none, left, right, rest]\nmirrored: [[left, right]]\n")
    inputs = ArrayInputs(Source=picture(coloured()))
    settings = {"classList": str(own), "classes": "left"}
    plain = render("Segment", 1, inputs, PixelwiseDevice(), **settings).images["alpha"]
    both = render("Segment", 1, inputs, PixelwiseDevice(), flip=True, **settings).images["alpha"]
    assert plain[30, 20, 0] > 0.99
    assert both[30, 20, 0] == pytest.approx(0.5, abs=0.01)  # the mirrored left was called right
    assert both[6, 50, 0] == pytest.approx(0.5, abs=0.01)


def test_threshold_and_softness():
    p = torch.tensor([0.0, 0.3, 0.5, 0.7, 1.0])
    assert levels(p, 0.5, 1.0).equal(p)
    assert levels(p, 0.5, 0.0).tolist() == [0, 0, 1, 1, 1]
    assert levels(p, 0.3, 0.4).tolist() == pytest.approx([0, 0.5, 1, 1, 1])
    assert levels(p, 0.3, 1.0).tolist() == pytest.approx([0, 0.5, 0.7, 0.9, 1])
    assert levels(p, 0.0, 1.0).tolist() == pytest.approx([0.5, 0.8, 1, 1, 1])


@given(st.floats(0, 1), st.floats(0, 1), st.lists(st.floats(0, 1), min_size=2, max_size=9))
def test_whatever_the_threshold_sure_answers_stay_and_order_is_kept(threshold, softness, probabilities):
    p = torch.tensor([0.0, *sorted(probabilities), 1.0], dtype=torch.float64)
    alpha = levels(p, threshold, softness)
    assert 0 <= alpha.min() <= alpha.max() <= 1
    assert (alpha.diff() >= -1e-9).all()
    if 0.001 < threshold < 0.999:
        assert (alpha[0], alpha[-1]) == (0, 1)


@pytest.fixture
def particular(tmp_path):
    """Settings with a list of classes that says how long markers must be."""

    def settings(length):
        own = tmp_path / f"{length}.yaml"
        own.write_text(f"classes: [other, marker, wire, stand]\nbackground: [other]\nshortest: {{marker: {length}}}\n")
        return {"classList": str(own)}

    return settings


def test_pieces_too_short_for_their_class_are_left_out_of_mattes_and_ids(particular):
    inputs = ArrayInputs(Source=picture(coloured()))
    shown = {"classLayers": True, "classes": "marker, wire"}
    kept, gone, asked = (
        render("Segment", 1, inputs, PixelwiseDevice(), **shown, **settings).images
        for settings in (particular(28), particular(29), {**particular(29), "dropShort": False})
    )
    assert kept["alpha"][30, 20, 0] > 0.99  # the marker's diagonal is 28.3 pixels
    around = slice(18, 42), slice(8, 32)
    assert all(gone[name][around].max() == 0 for name in ("alpha", "class marker", "ids"))
    np.testing.assert_allclose(gone["class wire"], kept["class wire"], atol=0.01)
    for name, image in kept.items():
        np.testing.assert_array_equal(asked[name], image)


def test_what_is_too_short_is_judged_as_the_matte_is_cut(particular):
    """At a threshold of 0 all is one piece; with only wires chosen, no marker counts."""
    inputs = ArrayInputs(Source=picture(coloured()))
    whole = render("Segment", 1, inputs, PixelwiseDevice(), threshold=0.0, **particular(60)).images
    assert whole["alpha"][30, 20, 0] > 0.99
    assert whole["ids"][30, 20, 0] == 0
    wires = render("Segment", 1, inputs, PixelwiseDevice(), classes="wire", **particular(29)).images
    assert wires["alpha"][6, 50, 0] > 0.99


@pytest.mark.parametrize("edge", [40, 43])
def test_edges_are_snapped_to_the_picture(edge):
    """A blurred matte that is a pixel off gets an edge where the picture has one; on flat ground it stays soft."""
    truth = torch.zeros(1, 1, 64, 96)
    truth[..., edge:] = 1
    shown = 0.2 + 0.6 * truth.expand(1, 3, 64, 96)
    matte = torch.nn.functional.avg_pool2d(truth.roll(1, -1), (1, 9), 1, (0, 4), count_include_pad=False)
    matte[..., :8], matte[..., -8:] = 0, 1
    after = snapped(matte, shown, 8)
    assert (after - truth).abs().mean() < 0.95 * (matte - truth).abs().mean()
    assert after.diff()[..., edge - 1].min() > 0.6 > 0.15 > matte.diff().max()
    flat = snapped(matte, torch.full_like(shown, 0.5), 8)
    assert flat.diff().abs().max() < 0.15


def test_a_window_of_neighbours_is_averaged_whatever_was_rendered_before():
    frames = {n: picture(coloured() if n % 2 else np.full((60, 90, 3), 0.2)) for n in range(1, 6)}
    settings = {**RIGS, "smoothFrames": 1, "followMotion": False}
    inputs = ArrayInputs(Source=frames)
    forward = [render("Segment", n, inputs, PixelwiseDevice(), **settings).images["alpha"] for n in (1, 2, 3)]
    backward = [render("Segment", n, inputs, PixelwiseDevice(), **settings).images["alpha"] for n in (3, 2, 1)][::-1]
    for one, other in zip(forward, backward, strict=True):
        np.testing.assert_array_equal(one, other)
    # Frame 2 has nothing in it, its neighbours, each of half its weight, have.
    assert forward[1][30, 20, 0] == pytest.approx(0.5, abs=0.01)
    assert forward[0][30, 20, 0] == pytest.approx(2 / 3, abs=0.01)


def test_the_window_ends_with_the_shot_and_asks_ahead():
    engine = create_engine(catalogue.find("Segment"))
    face = catalogue.find("Segment")
    inputs = ArrayInputs(Source={n: picture(coloured()) for n in range(1, 6)})
    params = face.parse({"smoothFrames": 2})
    assert engine.needs(1, params, inputs) == [("Source", 1), ("Source", 2), ("Source", 3)]
    assert engine.needs(1, face.parse({}), inputs) == [("Source", 1)]
    assert face.looks_ahead  # a later frame's change makes a frame stale


@pytest.mark.parametrize("numbers", [(1, 11, 21, 31, 41), (-14, -7, 0, 7, 14), (1, 2, 9, 10, 50)])
def test_neighbours_are_frames_that_are_there(numbers):
    pictures = [picture(coloured() if n % 2 else np.full((60, 90, 3), 0.2)) for n in range(5)]
    settings = {**RIGS, "smoothFrames": 1, "followMotion": False}
    usual = render("Segment", 2, ArrayInputs(Source=dict(enumerate(pictures))), PixelwiseDevice(), **settings)
    inputs = ArrayInputs(Source=dict(zip(numbers, pictures, strict=True)))
    passes = render("Segment", numbers[2], inputs, PixelwiseDevice(), **settings)
    np.testing.assert_array_equal(passes.images["alpha"], usual.images["alpha"])
    assert passes.notes == []


def test_a_neighbour_with_another_data_window_lies_in_its_place():
    whole = coloured()
    display = Window(0, 0, whole.shape[1], whole.shape[0])
    black = whole.copy()
    black[:5], black[:, :7] = 0, 0
    cropped = picture(whole[5:, 7:], at=(7, 5), display=display)
    settings = {**RIGS, "smoothFrames": 1, "followMotion": False}
    found, expected = (
        render("Segment", 2, ArrayInputs(Source={1: other, 2: picture(whole)}), PixelwiseDevice(), **settings)
        for other in (cropped, picture(black))
    )
    np.testing.assert_array_equal(found.images["alpha"], expected.images["alpha"])
    assert found.notes == []


def test_another_size_is_left_out_and_said():
    frames = {1: picture(coloured()), 3: picture(coloured(50, 80)), 5: picture(coloured())}
    inputs = ArrayInputs(Source=frames)
    passes = render("Segment", 3, inputs, PixelwiseDevice(), smoothFrames=2, **RIGS)
    assert [note.split(":")[0] for note in passes.notes] == [f"smoothed without frame {n}" for n in (1, 5)]
    alone = render("Segment", 3, inputs, PixelwiseDevice(), **RIGS)
    np.testing.assert_allclose(passes.images["alpha"], alone.images["alpha"], atol=1e-6)


def test_neighbours_follow_the_motion():
    texture = np.random.default_rng(2).random((60, 90, 1), np.float32) * 0.1
    frames = {n: picture(coloured(shift=4 * n) + texture) for n in (1, 2, 3)}
    inputs = ArrayInputs(Source=frames)
    alone = render("Segment", 2, inputs, PixelwiseDevice(), **RIGS).images["alpha"]

    def error(follow):
        smoothed = render("Segment", 2, inputs, PixelwiseDevice(), smoothFrames=1, followMotion=follow, **RIGS)
        return np.abs(smoothed.images["alpha"] - alone).mean()

    assert error(True) < 0.3 * error(False)


WRONG = [
    ({"classes": "wires", **RIGS}, "Rigs has no class 'wires': did you mean 'wire'"),
    ({"classList": "lip"}, "class list LIP has 20 names, but the weights 'fill' tell 4 classes apart"),
    ({"scales": "1, x", **RIGS}, "'scales' cannot be '1, x': it is one to 6 numbers from 0.25 to 2"),
    ({"scales": "9", **RIGS}, "'scales' cannot be '9'"),
]


@pytest.mark.parametrize(("settings", "sentence"), WRONG, ids=[sentence[:20] for _, sentence in WRONG])
def test_what_does_not_fit_is_a_sentence(settings, sentence):
    with pytest.raises(ParameterError, match=sentence):
        render("Segment", 1, ArrayInputs(Source=picture(coloured())), PixelwiseDevice(), **settings)


def test_class_layers_need_names():
    face = catalogue.find("Segment")
    with pytest.raises(ParameterError, match="'classLayers' needs names: list them in 'classes'"):
        face.passes_for(face.parse({"classLayers": True}))


def test_short_of_memory_it_takes_smaller_tiles_and_says_so():
    short = PixelwiseDevice()
    short.out_of_memory = 1
    inputs = ArrayInputs(Source=picture(coloured()))
    passes = render("Segment", 1, inputs, short, **RIGS)
    assert passes.notes == ["device memory was short: computed with tiles of 512 pixels"]
    np.testing.assert_array_equal(
        passes.images["alpha"], render("Segment", 1, inputs, PixelwiseDevice(), **RIGS).images["alpha"]
    )


def test_a_broken_pixel_does_not_spoil_the_frame():
    pixels = coloured()
    pixels[0, 0] = np.nan
    passes = render("Segment", 1, ArrayInputs(Source=picture(pixels)), PixelwiseDevice(), **RIGS)
    assert np.isfinite(passes.images["alpha"]).all()
    assert "1 pixels of the source are NaN" in passes.notes[0]
