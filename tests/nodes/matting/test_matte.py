import numpy as np
import pytest
import torch
from local_engine import ArrayInputs, picture

from nodes.errors import ParameterError
from nodes.footage.window import Window
from nodes.matting import matte


def test_black_and_white_points():
    alpha = torch.tensor([0.0, 0.1, 0.3, 0.5, 0.9, 1.0])
    np.testing.assert_allclose(matte.set_levels(alpha, 0.1, 0.5), [0, 0, 0.5, 1, 1, 1], atol=1e-6)
    assert matte.set_levels(alpha, 0.0, 1.0) is alpha
    with pytest.raises(ParameterError, match="alphaBlack"):
        matte.set_levels(alpha, 0.6, 0.5)


def test_what_is_faint_before_a_painted_plate_is_nothing():
    alpha = torch.rand(1, 1, 8, 9, generator=torch.Generator().manual_seed(1))
    assert torch.equal(matte.without_faint(alpha, torch.ones_like(alpha)), alpha)
    doubtful = matte.without_faint(alpha, torch.zeros_like(alpha))
    assert bool((doubtful[alpha <= matte.FAINT] == 0).all())
    assert torch.equal(matte.without_faint(torch.ones_like(alpha), torch.zeros_like(alpha)), torch.ones_like(alpha))
    assert torch.equal(matte.without_faint(alpha, torch.full_like(alpha, matte.TRUSTED)), alpha)
    half = matte.without_faint(alpha, torch.full_like(alpha, matte.TRUSTED / 2))
    assert bool(((doubtful <= half) & (half <= alpha)).all())


def test_islands_go_and_the_subject_stays_whole():
    alpha = torch.zeros(1, 1, 100, 100)
    alpha[..., 20:80, 20:60] = 1
    alpha[..., 18:20, 20:60] = 0.05
    alpha[..., 5:7, 90:92] = 0.8
    alpha[..., 4, 90:92] = 0.04
    cleaned = matte.remove_islands(alpha, 0.5)
    expected = alpha.clone()
    expected[..., :10, 80:] = 0
    np.testing.assert_array_equal(cleaned, expected)
    assert matte.remove_islands(alpha, 0) is alpha


def test_a_lone_subject_stays_however_small():
    alpha = torch.zeros(1, 1, 100, 100)
    alpha[..., 50, 50] = 1
    assert matte.remove_islands(alpha, 5.0) is alpha


def test_core_makes_solid_and_garbage_empties_over_their_own_windows():
    source = picture(np.zeros((4, 4, 3)), at=(-1, -1), display=Window(0, 0, 3, 3))
    core = picture(np.ones((1, 1, 1)), "Y", display=Window(0, 0, 3, 3))
    garbage = picture(np.full((1, 2, 4), (0, 0, 0, 2.0)), "RGBA", at=(1, 1), display=Window(0, 0, 3, 3))
    alpha = matte.apply_masks(torch.full((1, 1, 4, 4), 0.5), ArrayInputs(InM=core, OutM=garbage), 1, source, [])
    expected = np.full((4, 4), 0.5)
    expected[1, 1] = 1
    expected[2, 2:4] = 0
    np.testing.assert_array_equal(alpha[0, 0], expected)


def test_a_mask_with_nan_is_empty_there():
    source = picture(np.zeros((1, 2, 3)))
    core = picture(np.float32([[[np.nan], [1]]]), "A")
    alpha = matte.apply_masks(torch.zeros(1, 1, 1, 2), ArrayInputs(InM=core), 1, source, [])
    np.testing.assert_array_equal(alpha[0, 0], [[0, 1]])
