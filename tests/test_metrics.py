import numpy as np
import pytest

from models.training import metrics

SQUARE = np.zeros((40, 40), np.float32)
SQUARE[10:30, 10:30] = 1


def test_equal_mattes_have_no_error():
    assert all(measure(SQUARE, SQUARE) == 0 for measure in metrics.MEASURES.values())


def test_mean_errors_by_hand():
    off = SQUARE.copy()
    off[:4] += 0.5
    assert metrics.mad(off, SQUARE) == pytest.approx(0.05)
    assert metrics.mse(off, SQUARE) == pytest.approx(0.025)


def test_grad_sees_a_blurred_edge_and_conn_a_loose_piece():
    blurred = SQUARE.copy()
    blurred[9, 10:30] = 0.5
    assert metrics.grad(blurred, SQUARE) > 0
    loose = SQUARE.copy()
    loose[35:38, 35:38] = 1
    # Nine pixels hang together with nothing: each counts its whole distance, 1.
    assert metrics.conn(loose, SQUARE) == pytest.approx(9 / 1000)


def test_the_edge_error_looks_near_soft_pixels_only():
    soft = SQUARE.copy()
    soft[10, 10:30] = 0.5
    wrong = soft.copy()
    wrong[39, 39] = 1
    assert metrics.edge_error(wrong, soft) == 0
    wrong[8, 15] = 1
    assert metrics.edge_error(wrong, soft) > 0
