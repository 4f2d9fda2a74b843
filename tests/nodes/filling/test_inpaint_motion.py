"""Inpaint along the motion of the background: depth, others who move, light, cuts, and holes that nothing reveals."""

import cv2
import numpy as np
import pytest
from inpaint_shots import ground, holes
from local_engine import ArrayInputs, LocalDevice, picture, render

from nodes.errors import FrameError
from nodes.filling.moving import views

HEIGHT, WIDTH, COUNT = 120, 192, 13
NEAR = slice(66, None)


class DeepShot:
    """A camera that travels past two planes, the nearer three times as fast, and somebody who stands in the picture."""

    def __init__(self, count=COUNT, light=lambda at: 1.0, hole=lambda at: (70 + 2 * at, 30), size=(60, 26), speed=1.5):
        far, near = ground(HEIGHT, WIDTH + 140, seed=2), ground(HEIGHT, WIDTH + 240, seed=3)
        self.clean, sources, masks = {}, {}, {}
        for at in range(count):
            clean = np.empty((HEIGHT, WIDTH, 3), np.float32)
            for plane, pace, rows in ((far, 1, slice(None, 66)), (near, 3, NEAR)):
                shift = np.float32([[1, 0, -20 - speed * pace * at], [0, 1, 0]])
                clean[rows] = cv2.warpAffine(plane, shift, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC)[rows]
            clean *= np.float32(light(at))
            left, top = hole(at)
            mask = np.zeros((HEIGHT, WIDTH, 1), np.float32)
            mask[top : top + size[0], left : left + size[1]] = 1
            self.clean[at] = clean
            sources[at] = picture(np.where(mask > 0, np.float32(0.02), clean))
            masks[at] = picture(mask, "A")
        self.inputs = ArrayInputs(Source=sources, Mask=masks)

    def error(self, passes, frame, where=slice(None)):
        """Of the filled pixels, the mean."""
        off = np.abs(passes.images["clean"][..., :3] - self.clean[frame]).mean(-1)
        return float(off[where][holes(passes)[where]].mean())


def inpaint(shot, frame, on=None, **settings):
    inputs = shot.inputs if isinstance(shot, DeepShot) else shot
    usual = {"mode": "motion", "model": "smooth", "grow": 1.0, "feather": 0.0, "grain": 0.0, "reach": 8}
    return render("Inpaint", frame, inputs, on or LocalDevice(), **{**usual, "referenceEvery": 6, **settings})


DEEP = DeepShot()


def test_depth_is_followed_where_one_perspective_cannot():
    passes, plane = inpaint(DEEP, 6), inpaint(DEEP, 6, mode="follow")
    assert DEEP.error(passes, 6) < 0.5 * DEEP.error(plane, 6)
    assert DEEP.error(passes, 6) < 0.02
    assert (passes.images["origin"][holes(passes)] == [0, 0, 1]).mean() > 0.98
    assert passes.notes == []


def test_it_says_where_pixels_come_from_and_how_far_to_trust_them():
    images = inpaint(DEEP, 6, feather=2.0).images
    filled, found, confidence = (images[name] for name in ("filled", "found", "confidence"))
    np.testing.assert_allclose(found.sum(-1), images["origin"][..., 2], atol=1e-6)
    np.testing.assert_allclose(images["origin"].sum(-1), filled[..., 0], atol=1e-6)
    assert [bool(one.any()) for one in np.moveaxis(found, -1, 0)] == [True, True, False]
    assert (confidence[filled == 0] == 1).all()
    real = (images["origin"][..., 2] == 1)[..., None]
    assert ((confidence > 0) & (confidence < 1))[real].all()
    nowhere = DeepShot(hole=lambda at: (70, 30), speed=0.0)
    painted = inpaint(nowhere, 1).images
    assert (painted["confidence"][painted["filled"] == 1] == 0).all()


def test_every_other_pixel_stays_as_it_is():
    passes = inpaint(DEEP, 6, feather=3.0)
    outside = passes.images["filled"][..., 0] == 0
    assert np.array_equal(passes.images["clean"][outside][:, :3], DEEP.inputs.inputs["Source"][6].pixels[outside])


def test_large_frames_are_followed_small_and_filled_at_their_size(monkeypatch):
    fine = inpaint(DEEP, 6)
    monkeypatch.setattr(views, "LONGER_SIDE", WIDTH // 2)
    coarse = inpaint(DEEP, 6)
    assert (coarse.images["clean"] != fine.images["clean"]).any()
    assert DEEP.error(coarse, 6) < 2 * DEEP.error(fine, 6) + 0.005


def test_light_that_changes_is_matched():
    flicker = DeepShot(light=lambda at: 1 + 0.25 * (at % 2))
    assert flicker.error(inpaint(flicker, 6), 6) < 1.5 * DEEP.error(inpaint(DEEP, 6), 6) + 0.005


def test_nothing_is_carried_over_a_cut():
    other = DeepShot(hole=lambda at: (80, 40))
    sources, masks = dict(DEEP.inputs.inputs["Source"]), dict(DEEP.inputs.inputs["Mask"])
    for frame in range(7, COUNT):
        there = other.inputs.inputs["Source"][frame]
        sources[frame] = picture(there.pixels[::-1, ::-1] ** 2)
        masks[frame] = picture(other.inputs.inputs["Mask"][frame].pixels[::-1, ::-1], "A")
    cut = inpaint(ArrayInputs(Source=sources, Mask=masks), 6)
    before = {name: {f: frames[f] for f in range(7)} for name, frames in DEEP.inputs.inputs.items()}
    ended = inpaint(ArrayInputs(**before), 6)
    # The last frame of a shot, whatever comes after it.
    np.testing.assert_allclose(cut.images["clean"], ended.images["clean"], atol=1e-6)


def test_what_no_frame_shows_is_painted_once_and_carried_along():
    fixed = DeepShot(hole=lambda at: (70, 30), speed=0.0)
    on = LocalDevice()
    first, later = (inpaint(fixed, frame, on) for frame in (1, 5))
    there = holes(first)
    assert (first.images["origin"][there] == [0, 1, 0]).all()
    np.testing.assert_allclose(first.images["clean"][there], later.images["clean"][there], atol=0.01)


def test_a_mask_that_covers_everything_is_one_sentence():
    whole = {f: picture(np.ones((HEIGHT, WIDTH, 1), np.float32), "A") for f in range(COUNT)}
    with pytest.raises(FrameError, match="the mask covers the whole picture at frame 6"):
        inpaint(ArrayInputs(Source=DEEP.inputs.inputs["Source"], Mask=whole), 6)


def test_a_frame_that_is_covered_alone_comes_from_its_neighbours():
    masks = dict(DEEP.inputs.inputs["Mask"])
    masks[6] = picture(np.ones((HEIGHT, WIDTH, 1), np.float32), "A")
    with pytest.raises(FrameError, match="the mask covers the whole picture"):
        inpaint(ArrayInputs(Source=DEEP.inputs.inputs["Source"], Mask=masks), 6)
    # The others do without it.
    assert DEEP.error(inpaint(ArrayInputs(Source=DEEP.inputs.inputs["Source"], Mask=masks), 5), 5) < 0.04


def test_a_source_that_changes_size_is_carried_as_far_as_it_has_one():
    sources, masks = dict(DEEP.inputs.inputs["Source"]), dict(DEEP.inputs.inputs["Mask"])
    for frame in range(9, COUNT):
        sources[frame] = picture(sources[frame].pixels[:100])
        masks[frame] = picture(masks[frame].pixels[:100], "A")
    passes = inpaint(ArrayInputs(Source=sources, Mask=masks), 6)
    assert any("does not help" in note and "192x100" in note for note in passes.notes)
    assert DEEP.error(passes, 6) < 0.03


def test_reach_beyond_the_shot_and_none_at_all():
    far, near = inpaint(DEEP, 6, reach=1000), inpaint(DEEP, 6, reach=1)
    assert DEEP.error(far, 6) <= DEEP.error(near, 6)
    assert near.images["origin"][..., 2].sum() < far.images["origin"][..., 2].sum()


def test_broken_pixels_of_other_frames_are_not_carried():
    sources = dict(DEEP.inputs.inputs["Source"])
    for frame in (4, 5, 7, 8):
        pixels = sources[frame].pixels.copy()
        pixels[20:100:3, ::5] = np.nan
        sources[frame] = picture(pixels)
    clean = inpaint(ArrayInputs(Source=sources, Mask=DEEP.inputs.inputs["Mask"]), 6).images["clean"]
    assert np.isfinite(clean).all()


def test_highlights_are_carried_in_light():
    bright = DeepShot(light=lambda at: 30.0)
    passes = inpaint(bright, 6)
    assert bright.error(passes, 6) / 30 < 0.03
    assert passes.images["clean"][holes(passes)][:, :3].max() > 20


def shadowed(shot, strength=0.4):
    """The shot with a soft shadow beside what is removed, which moves with it; and its mask."""
    sources, shadows = {}, {}
    for at, frame in shot.inputs.inputs["Source"].items():
        shade = np.zeros((HEIGHT, WIDTH), np.float32)
        left = 100 + 2 * at
        shade[80:104, left : left + 44] = 1
        soft = cv2.GaussianBlur(shade, (0, 0), 3)[..., None]
        sources[at] = picture(frame.pixels * (1 - strength * soft))
        shadows[at] = picture(np.asarray(soft > 0.02, np.float32), "A")
    return ArrayInputs(Source=sources, Mask=shot.inputs.inputs["Mask"], Shadow=shadows), shadows


@pytest.mark.parametrize("mode", ["motion", "per frame"])
def test_a_shadow_is_relit_and_keeps_its_texture(mode):
    inputs, shadows = shadowed(DEEP)
    passes = inpaint(inputs, 6, mode=mode, feather=2.0)
    there = shadows[6].pixels[..., 0] > 0
    there &= DEEP.inputs.inputs["Mask"][6].pixels[..., 0] == 0
    clean, truth = passes.images["clean"][..., :3], DEEP.clean[6]
    left = np.abs(inputs.inputs["Source"][6].pixels - truth)[there].mean()
    assert np.abs(clean - truth)[there].mean() < (0.25 if mode == "motion" else 0.7) * left
    # What was not filmed there is not set there: its finest detail is the frame's own.
    fine = [image - cv2.GaussianBlur(image, (0, 0), 1) for image in (clean / truth, np.ones_like(truth))]
    assert np.abs(fine[0] - fine[1])[cv2.erode(there.astype(np.uint8), np.ones((9, 9))) > 0].mean() < 0.01


def test_a_shadow_alone_needs_no_mask():
    inputs, shadows = shadowed(DEEP)
    del inputs.inputs["Mask"]
    passes = inpaint(inputs, 6)
    outside = passes.images["filled"][..., 0] == 0
    assert np.array_equal(passes.images["clean"][outside][:, :3], inputs.inputs["Source"][6].pixels[outside])
    assert (passes.images["filled"][..., 0] > 0)[shadows[6].pixels[..., 0] > 0].all()


def test_an_edited_shadow_is_never_stale():
    on = LocalDevice()
    inputs, shadows = shadowed(DEEP)
    before = inpaint(inputs, 6, on).images["clean"]
    edited = {at: picture(np.roll(mask.pixels, 8, 1), "A") for at, mask in shadows.items()}
    changed = ArrayInputs(**{**inputs.inputs, "Shadow": edited})
    after = inpaint(changed, 6, on).images["clean"]
    assert (before != after).any()
    np.testing.assert_array_equal(after, inpaint(changed, 6).images["clean"])
